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
// Bytecode
//===----------------------------------------------------------------------===//

/// Exit codes of the process that decodes. Not 1, which is anybody's.
constexpr int kDecoded = 0, kDiagnosed = 3, kUndelivered = 4;

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

/// The body of the process that decodes: writes the module as text, or the
/// first error, to `output`.
[[noreturn]] static void decode(llvm::SourceMgr &sourceMgr,
                                MLIRContext &context, int output,
                                const Limits &limits) {
  // Handlers of signals are the parent's.
  for (int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGPIPE,
                     SIGXCPU, SIGALRM})
    std::signal(signal, SIG_DFL);
  lowerLimit(RLIMIT_CORE, 0);
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
    _exit(kDiagnosed);
  }
  // It is not verified yet.
  module->print(os, OpPrintingFlags().enableDebugInfo().printGenericOpForm());
  os.flush();
  _exit(os.has_error() ? kUndelivered : kDecoded);
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
  int ends[2];
  if (pipe(ends) != 0)
    return fail(Twine("cannot decode bytecode: ") + std::strerror(errno));
  pid_t child = fork();
  if (child < 0) {
    close(ends[0]);
    close(ends[1]);
    return fail(Twine("cannot decode bytecode: ") + std::strerror(errno));
  }
  if (child == 0) {
    close(ends[0]);
    decode(sourceMgr, context, ends[1], limits);
  }
  close(ends[1]);
  std::string text;
  std::vector<char> chunk(1 << 16);
  bool tooLong = false;
  for (;;) {
    ssize_t size = read(ends[0], chunk.data(), chunk.size());
    if (size < 0 && errno == EINTR)
      continue;
    if (size <= 0)
      break;
    text.append(chunk.data(), size);
    if ((tooLong = text.size() > limits.inputBytes))
      break;
  }
  // The child's next write ends it, if there is one.
  close(ends[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR)
    ;
  if (tooLong)
    return fail("expected bytecode of at most " + Twine(limits.inputBytes) +
                " bytes of text, found more");
  if (WIFEXITED(status) && WEXITSTATUS(status) == kDiagnosed)
    return fail(text);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != kDecoded) {
    std::string end =
        WIFSIGNALED(status)
            ? std::string("by signal ") + strsignal(WTERMSIG(status))
            : "with exit code " + std::to_string(WEXITSTATUS(status));
    return fail("malformed or too large bytecode: MLIR's reader ended " + end);
  }
  return llvm::MemoryBuffer::getMemBufferCopy(text, name);
}

//===----------------------------------------------------------------------===//
// readModule
//===----------------------------------------------------------------------===//

/// Upstream's parser of `linalg.fill<...>` takes whatever attribute stands
/// there for a dictionary. True if each is one.
static bool hasLinalgDictionaries(StringRef text) {
  for (size_t at = 0; (at = text.find("linalg.", at)) != StringRef::npos;) {
    bool isOperation = !at || (text[at - 1] != '#' && text[at - 1] != '!');
    at += StringRef("linalg.").size();
    StringRef rest =
        text.substr(at).ltrim("abcdefghijklmnopqrstuvwxyz0123456789_.").ltrim();
    if (isOperation && rest.consume_front("<") &&
        !rest.ltrim().starts_with("{"))
      return false;
  }
  return true;
}

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
  if (!hasLinalgDictionaries(buffer->getBuffer())) {
    emitError(
        FileLineColLoc::get(&context, buffer->getBufferIdentifier(), 1, 1))
        << "expected a dictionary in '<' after the name of a linalg operation";
    return {};
  }
  // Verifiers print and walk: not before it is known how much.
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(
      *text, ParserConfig(&context, /*verifyAfterParse=*/false));
  if (!module || failed(checkLimits(*module, limits)) ||
      failed(checkConversions(*module)) || failed(verify(*module)))
    return {};
  return module;
}
