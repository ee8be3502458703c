//===- ReadModule.cpp - IR from untrusted files -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Tools/ReadModule.h"
#include "mlir/Bytecode/BytecodeReader.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/IntegerSet.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "muon-mlir/Tools/Support.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/raw_ostream.h"
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace mlir;
using namespace mlir::muon;

//===----------------------------------------------------------------------===//
// Limits of what was parsed
//===----------------------------------------------------------------------===//

namespace {

/// Checks attributes and types, each once. No recursion: what is too deep for
/// everything else is found here.
class TreeChecker {
public:
  TreeChecker(const Limits &limits,
              function_ref<InFlightDiagnostic()> emitError)
      : limits(limits), emitError(emitError) {}

  /// Adds the tree at `root` to the total.
  LogicalResult add(const void *root, bool isType) {
    auto [known, isNew] = sizes.try_emplace(root);
    if (isNew && failed(measure(root, isType)))
      return failure();
    total = llvm::SaturatingAdd(total, sizes.lookup(root).count);
    if (total > limits.attributeCount)
      return emitError() << "expected at most " << limits.attributeCount
                         << " attributes and types, counted as often as they "
                            "are printed, found more";
    return success();
  }
  LogicalResult add(Attribute attr) {
    return add(attr.getAsOpaquePointer(), /*isType=*/false);
  }
  LogicalResult add(Type type) {
    return add(type.getAsOpaquePointer(), /*isType=*/true);
  }

private:
  struct Size {
    uint64_t count = 1;
    uint64_t depth = 1;
  };
  struct Frame {
    const void *node;
    bool isType;
    SmallVector<std::pair<const void *, bool>, 4> children;
    size_t next = 0;
  };

  LogicalResult measure(const void *root, bool isType) {
    SmallVector<Frame> stack;
    enter(stack, root, isType);
    while (!stack.empty()) {
      Frame &frame = stack.back();
      if (frame.next < frame.children.size()) {
        auto [child, childIsType] = frame.children[frame.next];
        auto [known, isNew] = sizes.try_emplace(child);
        if (!isNew) {
          ++frame.next;
          Size part = known->second;
          Size &whole = sizes[frame.node];
          whole.count = llvm::SaturatingAdd(whole.count, part.count);
          whole.depth = std::max(whole.depth, part.depth + 1);
          continue;
        }
        enter(stack, child, childIsType);
        continue;
      }
      if (sizes[frame.node].depth > limits.attributeDepth)
        return emitError() << "expected attributes and types at most "
                           << limits.attributeDepth
                           << " deep inside each other, found more";
      // What is printed of it is known to be little enough only now.
      if (failed(
              frame.isType
                  ? checkType(Type::getFromOpaquePointer(frame.node))
                  : checkConstant(Attribute::getFromOpaquePointer(frame.node))))
        return failure();
      stack.pop_back();
    }
    return success();
  }

  void enter(SmallVectorImpl<Frame> &stack, const void *node, bool isType) {
    Frame &frame = stack.emplace_back(Frame{node, isType, {}});
    auto addAttribute = [&](Attribute attr) {
      if (attr)
        frame.children.emplace_back(attr.getAsOpaquePointer(), false);
    };
    auto addType = [&](Type type) {
      if (type)
        frame.children.emplace_back(type.getAsOpaquePointer(), true);
    };
    if (isType)
      return Type::getFromOpaquePointer(node).walkImmediateSubElements(
          addAttribute, addType);
    Attribute attr = Attribute::getFromOpaquePointer(node);
    attr.walkImmediateSubElements(addAttribute, addType);
    // Walking does not show everything that is printed.
    if (auto elements = dyn_cast<ElementsAttr>(attr))
      addType(elements.getShapedType());
    sizes[node].count += countLeaves(attr);
  }

  /// What an attribute prints that is no attribute, in units of 16 bytes.
  static uint64_t countLeaves(Attribute attr) {
    uint64_t count = 0;
    if (auto map = dyn_cast<AffineMapAttr>(attr))
      map.getValue().walkExprs([&](AffineExpr) { ++count; });
    else if (auto set = dyn_cast<IntegerSetAttr>(attr))
      set.getValue().walkExprs([&](AffineExpr) { ++count; });
    else if (auto string = dyn_cast<StringAttr>(attr))
      count = string.size() / 16;
    else if (auto dense = dyn_cast<DenseElementsAttr>(attr))
      count = dense.getRawData().size() / 16;
    else if (auto array = dyn_cast<DenseArrayAttr>(attr))
      count = array.getRawData().size() / 16;
    return count;
  }

  /// The product of the static dimensions, saturated.
  static uint64_t countElements(ShapedType type) {
    uint64_t count = 1;
    if (!type.hasRank())
      return count;
    // A zero anywhere makes the product zero whatever the order.
    if (llvm::is_contained(type.getShape(), 0))
      return 0;
    for (int64_t dim : type.getShape())
      if (!ShapedType::isDynamic(dim))
        count = llvm::SaturatingMultiply(count, static_cast<uint64_t>(dim));
    return count;
  }

  LogicalResult checkType(Type type) {
    if (auto integer = dyn_cast<IntegerType>(type))
      if (integer.getWidth() > limits.integerBits)
        return emitError() << "expected integers of at most "
                           << limits.integerBits << " bits, found "
                           << integer.getWidth();
    auto shaped = dyn_cast<ShapedType>(type);
    if (!shaped)
      return success();
    uint64_t limit =
        isa<VectorType>(type) ? limits.vectorElements : limits.elements;
    if (countElements(shaped) > limit)
      return emitError() << "expected at most " << limit << " elements, found "
                         << type;
    return success();
  }

  LogicalResult checkConstant(Attribute attr) {
    auto elements = dyn_cast<ElementsAttr>(attr);
    if (!elements)
      return success();
    ShapedType type = elements.getShapedType();
    Type element = type.getElementType();
    // Complex numbers have at most 128 bits, and an index has 64.
    uint64_t bytes = element.isIntOrFloat()
                         ? llvm::divideCeil(element.getIntOrFloatBitWidth(), 8)
                         : 16;
    if (llvm::SaturatingMultiply(countElements(type), bytes) >
        limits.constantBytes)
      return emitError() << "expected a constant of at most "
                         << limits.constantBytes << " bytes, found " << type;
    return success();
  }

  const Limits &limits;
  function_ref<InFlightDiagnostic()> emitError;
  llvm::DenseMap<const void *, Size> sizes;
  uint64_t total = 0;
};

} // namespace

LogicalResult mlir::muon::checkLimits(ModuleOp module, const Limits &limits) {
  Operation *current = module;
  auto emitError = [&] { return current->emitError(); };
  TreeChecker trees(limits, emitError);
  uint64_t operations = 0;
  WalkResult result = module->walk<WalkOrder::PreOrder>([&](Operation *op) {
    current = op;
    if (++operations > limits.operations) {
      emitError() << "expected at most " << limits.operations
                  << " operations, found more";
      return WalkResult::interrupt();
    }
    if (failed(trees.add(op->getAttrDictionary())) ||
        failed(trees.add(op->getLoc())))
      return WalkResult::interrupt();
    for (Type type : op->getResultTypes())
      if (failed(trees.add(type)))
        return WalkResult::interrupt();
    for (Region &region : op->getRegions())
      for (Block &block : region) {
        if (block.getNumArguments() > limits.arguments) {
          emitError() << "expected at most " << limits.arguments
                      << " arguments, found " << block.getNumArguments();
          return WalkResult::interrupt();
        }
        for (BlockArgument argument : block.getArguments())
          if (failed(trees.add(argument.getType())) ||
              failed(trees.add(argument.getLoc())))
            return WalkResult::interrupt();
      }
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

/// Checks what a verifier of upstream's assumes: MLIR 22.1 takes the buffer of
/// a tensor for a memref, which a table of this dialect is not.
static LogicalResult checkConversions(ModuleOp module) {
  auto check = [](Operation *op, Type tensor, Type buffer) -> WalkResult {
    if (!isa<TensorType>(tensor) || isa<BaseMemRefType>(buffer))
      return WalkResult::advance();
    return op->emitError() << "expected the buffer of " << tensor
                           << " to be a memref, found " << buffer;
  };
  WalkResult result = module->walk([&](Operation *op) {
    if (auto toTensor = dyn_cast<bufferization::ToTensorOp>(op))
      return check(op, toTensor.getResult().getType(),
                   toTensor.getBuffer().getType());
    if (auto toBuffer = dyn_cast<bufferization::ToBufferOp>(op))
      return check(op, toBuffer.getTensor().getType(),
                   toBuffer.getBuffer().getType());
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

//===----------------------------------------------------------------------===//
// Processes that read
//===----------------------------------------------------------------------===//

static void lowerLimit(__rlimit_resource resource, uint64_t value) {
  rlimit limit;
  if (getrlimit(resource, &limit) != 0)
    return;
  limit.rlim_cur = std::min<rlim_t>(value, limit.rlim_max);
  setrlimit(resource, &limit);
}

/// Bytes that the process has on its heaps, as RLIMIT_DATA counts them.
static uint64_t usedMemory() {
  uint64_t pages = 0;
  if (FILE *file = std::fopen("/proc/self/statm", "r")) {
    unsigned long data = 0;
    if (std::fscanf(file, "%*u %*u %*u %*u %*u %lu", &data) == 1)
      pages = data;
    std::fclose(file);
  }
  return pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

/// Runs `body`, which writes to a file descriptor and returns an exit code, in
/// a process of its own, and puts at most `maximum` + 65536 bytes of what it
/// writes into `output`. Returns how the process ended, as waitpid gives it.
static llvm::Expected<int> runApart(function_ref<int(int)> body,
                                    uint64_t maximum, std::string &output) {
  auto fail = [] {
    return llvm::createStringError(
        Twine("cannot start a process that reads: ") + std::strerror(errno));
  };
  int ends[2];
  if (pipe(ends) != 0)
    return fail();
  pid_t child = fork();
  if (child < 0) {
    llvm::Error error = fail();
    close(ends[0]);
    close(ends[1]);
    return std::move(error);
  }
  if (child == 0) {
    close(ends[0]);
    // Handlers of signals are the parent's.
    for (int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP,
                       SIGPIPE, SIGXCPU, SIGALRM})
      std::signal(signal, SIG_DFL);
    lowerLimit(RLIMIT_CORE, 0);
    _exit(body(ends[1]));
  }
  close(ends[1]);
  std::vector<char> chunk(1 << 16);
  for (;;) {
    ssize_t size = read(ends[0], chunk.data(), chunk.size());
    if (size < 0 && errno == EINTR)
      continue;
    if (size <= 0)
      break;
    output.append(chunk.data(), size);
    if (output.size() > maximum)
      break;
  }
  // The child's next write ends it, if there is one.
  close(ends[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR)
    ;
  return status;
}

/// How the reader ended that did not end by itself.
static std::string describeEnd(int status) {
  if (WIFSIGNALED(status))
    return std::string("MLIR's reader ended by signal ") +
           strsignal(WTERMSIG(status));
  return "MLIR's reader ended with exit code " +
         std::to_string(WEXITSTATUS(status));
}

//===----------------------------------------------------------------------===//
// Bytecode
//===----------------------------------------------------------------------===//

/// Exit codes of the process that decodes. Not 1, which is anybody's.
constexpr int kDecoded = 0, kDiagnosed = 3, kUndelivered = 4;

/// The body of the process that decodes: writes the module as text, or the
/// first error, to `output`.
static int decode(llvm::SourceMgr &sourceMgr, MLIRContext &context, int output,
                  const Limits &limits) {
  lowerLimit(RLIMIT_CPU, limits.bytecodeSeconds);
  lowerLimit(RLIMIT_DATA, usedMemory() + limits.bytecodeMemory);

  llvm::raw_fd_ostream os(output, /*shouldClose=*/false);
  std::string message;
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    if (message.empty() &&
        diagnostic.getSeverity() == DiagnosticSeverity::Error)
      message = diagnostic.str();
  });
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(
      sourceMgr, ParserConfig(&context, /*verifyAfterParse=*/false));
  if (!module) {
    os << message;
    os.flush();
    return kDiagnosed;
  }
  // It is not verified yet.
  module->print(os, OpPrintingFlags().enableDebugInfo().printGenericOpForm());
  os.flush();
  return os.has_error() ? kUndelivered : kDecoded;
}

/// Returns the text of a file of bytecode, or null after a diagnostic.
static std::unique_ptr<llvm::MemoryBuffer>
decodeBytecode(llvm::SourceMgr &sourceMgr, MLIRContext &context,
               const Limits &limits) {
  StringRef name = sourceMgr.getMemoryBuffer(sourceMgr.getMainFileID())
                       ->getBufferIdentifier();
  auto fail = [&](const Twine &message) {
    emitError(FileLineColLoc::get(&context, name, 1, 1)) << message;
    return nullptr;
  };
  std::string text;
  llvm::Expected<int> status = runApart(
      [&](int output) { return decode(sourceMgr, context, output, limits); },
      limits.inputBytes, text);
  if (!status)
    return fail(llvm::toString(status.takeError()));
  if (text.size() > limits.inputBytes)
    return fail("expected bytecode of at most " + Twine(limits.inputBytes) +
                " bytes of text, found more");
  if (WIFEXITED(*status) && WEXITSTATUS(*status) == kDiagnosed)
    return fail(text);
  if (!WIFEXITED(*status) || WEXITSTATUS(*status) != kDecoded)
    return fail("malformed or too large bytecode: " + describeEnd(*status));
  return llvm::MemoryBuffer::getMemBufferCopy(text, name);
}

//===----------------------------------------------------------------------===//
// Text
//===----------------------------------------------------------------------===//

static OwningOpRef<ModuleOp> readText(const llvm::SourceMgr &text,
                                      MLIRContext &context,
                                      const Limits &limits) {
  // Verifiers print and walk: not before it is known how much.
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(
      text, ParserConfig(&context, /*verifyAfterParse=*/false));
  if (!module || failed(checkLimits(*module, limits)) ||
      failed(checkConversions(*module)) || failed(verify(*module)))
    return {};
  return module;
}

bool mlir::muon::mayNameOtherDialects(StringRef text) {
  auto isWord = [](char c) { return llvm::isAlnum(c) || c == '_' || c == '$'; };
  for (size_t dot = 0; (dot = text.find('.', dot)) != StringRef::npos; ++dot) {
    size_t begin = dot;
    while (begin != 0 && isWord(text[begin - 1]))
      --begin;
    StringRef word = text.slice(begin, dot);
    if (word.empty() || llvm::isDigit(word.front()) || word == "muon" ||
        word == "muon_gpu" || word == "func" || word == "builtin")
      continue;
    char before = begin == 0 ? ' ' : text[begin - 1];
    // Values, symbols, attributes, types and the rest of a longer name.
    if (StringRef("%@#!^.").contains(before))
      continue;
    // A string is a name where an operation is in the generic form.
    if (before == '"' &&
        !text.substr(text.find('"', dot)).ltrim("\" \n\t").starts_with("("))
      continue;
    return true;
  }
  return false;
}

/// Upstream's parsers and verifiers rely on each other: malformed operations of
/// some dialects end the process. So it is another process that first reads
/// what names such dialects.
static LogicalResult tryText(const llvm::SourceMgr &text, MLIRContext &context,
                             const Limits &limits) {
  const llvm::MemoryBuffer *buffer = text.getMemoryBuffer(text.getMainFileID());
  if (!mayNameOtherDialects(buffer->getBuffer()))
    return success();
  std::string output;
  llvm::Expected<int> status = runApart(
      [&](int) {
        // Errors are the business of the process that reads it again.
        ScopedDiagnosticHandler handler(&context, [](Diagnostic &) {});
        return readText(text, context, limits) ? kDecoded : kDiagnosed;
      },
      /*maximum=*/0, output);
  auto location =
      FileLineColLoc::get(&context, buffer->getBufferIdentifier(), 1, 1);
  if (!status)
    return emitError(location) << llvm::toString(status.takeError());
  if (WIFEXITED(*status) &&
      (WEXITSTATUS(*status) == kDecoded || WEXITSTATUS(*status) == kDiagnosed))
    return success();
  return emitError(location)
         << "malformed operations of other dialects: " << describeEnd(*status);
}

//===----------------------------------------------------------------------===//
// readModule
//===----------------------------------------------------------------------===//

OwningOpRef<ModuleOp> mlir::muon::readModule(llvm::SourceMgr &sourceMgr,
                                             MLIRContext &context,
                                             const Limits &limits) {
  const llvm::MemoryBuffer *buffer =
      sourceMgr.getMemoryBuffer(sourceMgr.getMainFileID());
  llvm::SourceMgr decoded;
  llvm::SourceMgr *text = &sourceMgr;
  if (isBytecode(*buffer)) {
    std::unique_ptr<llvm::MemoryBuffer> printed =
        decodeBytecode(sourceMgr, context, limits);
    if (!printed)
      return {};
    decoded.AddNewSourceBuffer(std::move(printed), llvm::SMLoc());
    text = &decoded;
    buffer = decoded.getMemoryBuffer(decoded.getMainFileID());
  }
  if (llvm::Error error = checkNesting(buffer->getBuffer(), limits)) {
    emitError(
        FileLineColLoc::get(&context, buffer->getBufferIdentifier(), 1, 1))
        << llvm::toString(std::move(error));
    return {};
  }
  if (failed(tryText(*text, context, limits)))
    return {};
  return readText(*text, context, limits);
}
