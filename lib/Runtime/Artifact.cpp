//===- Artifact.cpp - A loaded artifact -----------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Artifact.h"

#include "CpuFeatures.h"
#include "Text.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <map>
#include <mutex>
#include <set>
#include <sys/stat.h>
#include <tuple>
#include <unistd.h>

using namespace muon;

static Error invalid(const std::string &message) {
  return Error(MUON_ERROR_INVALID_ARTIFACT, message);
}

/// Checks what the dynamic loader would, but says it better, and before any
/// code of the file runs.
static Error checkElf(const std::string &path) {
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat status;
  if (fd < 0 || ::fstat(fd, &status) != 0) {
    Error error = invalid(std::string("cannot open: ") + std::strerror(errno));
    if (fd >= 0)
      ::close(fd);
    return error;
  }
  Elf64_Ehdr header = {};
  ssize_t count =
      S_ISREG(status.st_mode) ? ::pread(fd, &header, sizeof(header), 0) : 0;
  std::vector<Elf64_Phdr> segments(header.e_phnum);
  const size_t segmentBytes = segments.size() * sizeof(Elf64_Phdr);
  const bool hasSegments =
      count == ssize_t(sizeof(header)) &&
      header.e_phentsize == sizeof(Elf64_Phdr) &&
      header.e_phoff <= uint64_t(status.st_size) &&
      ::pread(fd, segments.data(), segmentBytes, off_t(header.e_phoff)) ==
          ssize_t(segmentBytes);
  ::close(fd);
  if (count != ssize_t(sizeof(header)) ||
      std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
      header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_type != ET_DYN)
    return invalid("not a shared library (64-bit little-endian ELF)");
#if defined(__x86_64__)
  const unsigned machine = EM_X86_64;
#elif defined(__aarch64__)
  const unsigned machine = EM_AARCH64;
#else
  const unsigned machine = header.e_machine;
#endif
  if (header.e_machine != machine)
    return Error(MUON_ERROR_UNSUPPORTED,
                 "compiled for ELF machine " +
                     std::to_string(header.e_machine) + ", this one is " +
                     std::to_string(machine) + " (" + hostArch() + ")");
  // The loader maps segments without asking whether the file has them; the
  // first access then ends the process.
  if (!hasSegments)
    return invalid("damaged: the table of segments is not in the file");
  const uint64_t fileBytes = uint64_t(status.st_size);
  for (size_t i = 0; i < segments.size(); ++i) {
    const Elf64_Phdr &segment = segments[i];
    if (segment.p_type != PT_LOAD && segment.p_type != PT_DYNAMIC)
      continue;
    if (segment.p_filesz > segment.p_memsz || segment.p_offset > fileBytes ||
        segment.p_filesz > fileBytes - segment.p_offset)
      return invalid("damaged: segment " + std::to_string(i) + " needs bytes " +
                     std::to_string(segment.p_offset) + " to " +
                     std::to_string(segment.p_offset + segment.p_filesz) +
                     ", the file has " + std::to_string(fileBytes));
  }
  return Error::success();
}

/// Which file each loaded path stands for, and how many artifacts hold it. The
/// loader goes by names: given the name of a library that is loaded, it returns
/// that one, whatever file has taken the name since.
class LoadedFiles {
public:
  Error acquire(const std::string &name) {
    struct stat status;
    if (::stat(name.c_str(), &status) != 0)
      return invalid(std::string("cannot open: ") + std::strerror(errno));
    std::lock_guard<std::mutex> lock(mutex);
    Entry &entry = entries[name];
    if (entry.users != 0 &&
        (entry.device != status.st_dev || entry.inode != status.st_ino))
      return Error(MUON_ERROR_UNSUPPORTED,
                   "the file has been replaced while an artifact of the same "
                   "name is loaded; release that one first");
    entry.device = status.st_dev;
    entry.inode = status.st_ino;
    ++entry.users;
    return Error::success();
  }
  void release(const std::string &name) {
    std::lock_guard<std::mutex> lock(mutex);
    auto entry = entries.find(name);
    if (entry != entries.end() && --entry->second.users == 0)
      entries.erase(entry);
  }

private:
  struct Entry {
    dev_t device = 0;
    ino_t inode = 0;
    size_t users = 0;
  };
  std::mutex mutex;
  std::map<std::string, Entry> entries;
};

static LoadedFiles &loadedFiles() {
  static LoadedFiles files;
  return files;
}

/// Size of an exported object; 0 if unknown.
static uint64_t symbolBytes(const void *address) {
  Dl_info info;
  const ElfW(Sym) *symbol = nullptr;
  if (!::dladdr1(address, &info,
                 const_cast<void **>(reinterpret_cast<const void **>(&symbol)),
                 RTLD_DL_SYMENT) ||
      !symbol || info.dli_saddr != address)
    return 0;
  return symbol->st_size;
}

Error Artifact::open() {
  if (Error error = checkElf(path))
    return error;
  // With a slash in the name the loader does not search.
  char *resolved = ::realpath(path.c_str(), nullptr);
  if (!resolved)
    return invalid(std::string("cannot open: ") + std::strerror(errno));
  const std::string name = resolved;
  std::free(resolved);
  if (Error error = loadedFiles().acquire(name))
    return error;
  loadedName = name;
  library = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *reason = ::dlerror();
    return invalid(std::string("cannot load: ") + (reason ? reason : "?"));
  }

  const auto *text =
      static_cast<const char *>(::dlsym(library, "muon_manifest"));
  const auto *size =
      static_cast<const uint64_t *>(::dlsym(library, "muon_manifest_size"));
  auto step = reinterpret_cast<MuonStepFn>(::dlsym(library, "step"));
  if (!text || !size || !step) {
    const char *symbol = !text   ? "muon_manifest"
                         : !size ? "muon_manifest_size"
                                 : "step";
    return invalid(std::string("not a muon artifact: no symbol '") + symbol +
                   "'");
  }
  uint64_t available = symbolBytes(text);
  if (available && *size > available)
    return invalid("manifest size is " + std::to_string(*size) +
                   ", but the manifest has " + std::to_string(available) +
                   " bytes");
  if (Error error = parseManifest(std::string_view(text, *size), manifest))
    return error;
  if (Error error = device->accepts(manifest))
    return error;
  if (Error error = checkHostCode(manifest))
    return error;
  std::string_view code;
  if (manifest.device)
    if (Error error = findDeviceCode(code))
      return error;
  return device->load(manifest, step, code, program);
}

Error Artifact::findDeviceCode(std::string_view &code) const {
  const auto *text =
      static_cast<const char *>(::dlsym(library, "muon_device_code"));
  const auto *size =
      static_cast<const uint64_t *>(::dlsym(library, "muon_device_code_size"));
  if (!text || !size)
    return invalid(std::string("compiled for a GPU, but has no symbol '") +
                   (text ? "muon_device_code_size" : "muon_device_code") + "'");
  uint64_t available = symbolBytes(text);
  if (available && *size > available)
    return invalid("device code size is " + std::to_string(*size) +
                   ", but the device code has " + std::to_string(available) +
                   " bytes");
  code = std::string_view(text, *size);
  return checkCodeRanges(*manifest.device, *size);
}

Error Artifact::load(const std::string &path, std::shared_ptr<Device> device,
                     std::shared_ptr<const Artifact> &artifact) {
  std::shared_ptr<Artifact> result(new Artifact);
  result->path = path;
  result->device = std::move(device);
  if (Error error = result->open())
    return Error(error.status(), path + ": " + error.message());
  if (result->manifest.distribution)
    result->grid = result->manifest.distribution->gridText();
  if (Error error = result->collectTensors())
    return error;
  result->collectParameters();
  result->collectLocals();
  std::unordered_map<std::string, const Tensor *> weights;
  for (const Tensor &tensor : result->tensors)
    if (tensor.role == MUON_ROLE_WEIGHT)
      weights.emplace(tensor.tensor, &tensor);
  for (const Tensor &tensor : result->tensors) {
    if (tensor.role != MUON_ROLE_MASTER)
      continue;
    auto weight = weights.find(tensor.tensor);
    if (weight == weights.end() ||
        weight->second->logicalShape != tensor.logicalShape)
      return invalid(path + ": manifest: master " + quote(tensor.name) +
                     " has no weight of the same shape");
  }
  artifact = std::move(result);
  return Error::success();
}

Artifact::~Artifact() {
  program.reset();
  if (library)
    ::dlclose(library);
  if (!loadedName.empty())
    loadedFiles().release(loadedName);
}

std::optional<size_t> Artifact::findTensor(MuonRole role,
                                           const std::string &name) const {
  if (!isTensor(role))
    return std::nullopt;
  auto it = tensorIndex[role].find(name);
  if (it == tensorIndex[role].end())
    return std::nullopt;
  return it->second;
}

uint64_t Artifact::tensorAlignment(const Tensor &tensor) const {
  return std::max<uint64_t>(muonTypeSize(tensor.type),
                            manifest.device ? manifest.device->alignment : 1);
}

//===----------------------------------------------------------------------===//
// Tensors to bind
//===----------------------------------------------------------------------===//

static std::string roleSuffix(MuonRole role) {
  if (role == MUON_ROLE_WEIGHT || role == MUON_ROLE_GRADIENT)
    return "";
  return std::string(".") + muonRoleName(role);
}

/// Whether a part is bound alone, and not the tensor it belongs to.
static bool isBoundAlone(MuonRole role, const Member &member) {
  return member.kind == Member::Block ||
         (member.kind == Member::Run && isState(role));
}

static Tensor makeTensor(MuonRole role, MuonType type, const std::string &name,
                         std::vector<int64_t> shape) {
  Tensor tensor;
  tensor.role = role;
  tensor.type = type;
  tensor.name = tensor.tensor = name;
  tensor.key = tensor.logicalKey = name + roleSuffix(role);
  tensor.elements = *countElements(shape);
  tensor.bytes = tensor.elements * muonTypeSize(type);
  tensor.logicalShape = shape;
  tensor.shape = std::move(shape);
  return tensor;
}

/// What is bound where the members are parts of it: the tensor, or the block of
/// it that this rank has.
static Tensor makeWhole(const Argument &argument, const Member &member) {
  const bool isRun = member.kind == Member::Run;
  Tensor tensor =
      makeTensor(argument.role, argument.type, member.tensor,
                 isRun ? member.block : logicalShape(member, argument));
  if (isRun && member.block != member.of) {
    tensor.part = MUON_PART_BLOCK;
    tensor.logicalShape = member.of;
    tensor.offset = member.offset;
  }
  return tensor;
}

void Artifact::addTensor(Tensor tensor) {
  if (!tensorIndex[tensor.role].emplace(tensor.name, tensors.size()).second)
    twin = tensors.size();
  tensors.push_back(std::move(tensor));
}

Error Artifact::collectTensors() {
  std::set<std::pair<MuonRole, std::string>> done;
  for (const Argument &argument : manifest.arguments) {
    if (!isTensor(argument.role))
      continue;
    if (argument.role == MUON_ROLE_STEP) {
      Tensor step = makeTensor(argument.role, argument.type, "step", {});
      step.key = step.logicalKey = "step";
      step.pieces = {{argument.slot, 0}};
      addTensor(std::move(step));
      continue;
    }
    uint64_t slot = argument.slot;
    for (const Member &member : manifest.params[*argument.params]) {
      const bool isNew = done.emplace(argument.role, member.tensor).second;
      if (isBoundAlone(argument.role, member)) {
        if (isNew)
          addParts(argument.role, member.tensor);
        continue;
      }
      if (isNew)
        addTensor(makeWhole(argument, member));
      uint64_t offset = 0;
      if (member.kind == Member::Rows)
        offset = argument.bytes / uint64_t(member.end - member.begin) *
                 uint64_t(member.begin);
      else if (member.kind == Member::Run)
        offset = uint64_t(member.from) * muonTypeSize(argument.type);
      const size_t index = *findTensor(argument.role, member.tensor);
      tensors[index].pieces.push_back({slot++, offset});
    }
  }
  if (!twin)
    return Error::success();
  return invalid(path + ": manifest: " + muonRoleName(tensors[*twin].role) +
                 " " + quote(tensors[*twin].name) +
                 " is the name of a tensor and of a part of another");
}

/// Adds the parts of a tensor, those that continue each other as one.
void Artifact::addParts(MuonRole role, const std::string &name) {
  struct Part {
    const Member *member;
    const Argument *argument;
    uint64_t slot;
  };
  std::vector<Part> parts;
  for (const Argument &argument : manifest.arguments) {
    if (argument.role != role)
      continue;
    const std::vector<Member> &list = manifest.params[*argument.params];
    for (size_t i = 0; i < list.size(); ++i)
      if (list[i].tensor == name)
        parts.push_back({&list[i], &argument, argument.slot + i});
  }
  std::sort(parts.begin(), parts.end(), [](const Part &a, const Part &b) {
    return std::tie(a.member->offset, a.member->from) <
           std::tie(b.member->offset, b.member->from);
  });

  std::vector<Tensor> merged;
  for (const Part &part : parts) {
    const Member &member = *part.member;
    const std::vector<int64_t> &shape = part.argument->shape;
    auto continues = [&](const Tensor &before) {
      if (member.kind == Member::Run)
        return member.from == before.from + int64_t(before.elements);
      return !shape.empty() &&
             member.offset[0] == before.offset[0] + before.shape[0] &&
             std::equal(shape.begin() + 1, shape.end(),
                        before.shape.begin() + 1) &&
             std::equal(member.offset.begin() + 1, member.offset.end(),
                        before.offset.begin() + 1);
    };
    auto it = std::find_if(merged.begin(), merged.end(), continues);
    if (it == merged.end()) {
      Tensor tensor = makeTensor(role, part.argument->type, name, shape);
      tensor.part =
          member.kind == Member::Run ? MUON_PART_RUN : MUON_PART_BLOCK;
      tensor.logicalShape = member.of;
      tensor.offset = member.offset;
      tensor.from = member.from;
      tensor.block = member.block;
      tensor.pieces = {{part.slot, 0}};
      merged.push_back(std::move(tensor));
      continue;
    }
    it->pieces.push_back({part.slot, it->bytes});
    it->elements += part.argument->elements;
    it->bytes += part.argument->bytes;
    if (!shape.empty() && shape.size() == it->shape.size() &&
        std::equal(shape.begin() + 1, shape.end(), it->shape.begin() + 1))
      it->shape[0] += shape[0];
    else
      it->shape = {int64_t(it->elements)};
  }

  for (Tensor &tensor : merged) {
    if (merged.size() > 1) {
      std::string place;
      if (tensor.part == MUON_PART_RUN)
        place = std::to_string(tensor.from);
      else
        for (int64_t offset : tensor.offset)
          place += (place.empty() ? "" : ",") + std::to_string(offset);
      tensor.name += "[" + place + "]";
      tensor.key += "[" + place + "]";
    }
    addTensor(std::move(tensor));
  }
}

void Artifact::collectParameters() {
  // All tensors of a list have one shape, so any argument gives it.
  std::vector<const Argument *> shapes(manifest.params.size());
  std::vector<bool> hasSums(manifest.params.size());
  for (const Argument &argument : manifest.arguments) {
    if (isTensor(argument.role) && argument.params)
      shapes[*argument.params] = &argument;
    else if (argument.params)
      hasSums[*argument.params] = true;
  }

  std::unordered_map<std::string, size_t> index;
  members.resize(manifest.params.size());
  for (size_t list = 0; list < members.size(); ++list) {
    if (!shapes[list] && !hasSums[list])
      continue;
    for (const Member &member : manifest.params[list]) {
      auto [it, isNew] = index.emplace(member.tensor, parameters.size());
      if (isNew)
        parameters.push_back({member.tensor, 0});
      if (shapes[list])
        parameters[it->second].elements += shapes[list]->elements;
      members[list].push_back(it->second);
    }
  }
  if (manifest.distribution)
    countParameterElements();
}

/// Of whole tensors: on one rank of several, sums are those of all ranks.
void Artifact::countParameterElements() {
  std::unordered_map<std::string, uint64_t> elements;
  for (const Tensor &tensor : tensors)
    elements.emplace(tensor.tensor, *countElements(tensor.logicalShape));
  for (const std::vector<Member> &list : manifest.params)
    for (const Member &member : list)
      if (!member.of.empty())
        elements.emplace(member.tensor, *countElements(member.of));
  for (Parameter &parameter : parameters) {
    auto it = elements.find(parameter.name);
    parameter.elements = it == elements.end() ? 0 : it->second;
  }
}

void Artifact::collectLocals() {
  // Reports are a cache line apart: writing one does not slow down others, or
  // the reading of scalars.
  constexpr uint64_t alignment = 64;
  for (size_t i = 0; i < manifest.arguments.size(); ++i) {
    const Argument &argument = manifest.arguments[i];
    if (isScalar(argument.role)) {
      scalars.push_back({i, scalarBytes});
      scalarBytes += argument.bytes;
    } else if (!isTensor(argument.role)) {
      reports.push_back({i, reportBytes});
      reportBytes += (argument.bytes + alignment - 1) / alignment * alignment;
    }
  }
  reportOffset = (scalarBytes + alignment - 1) / alignment * alignment;
  for (Local &report : reports)
    report.byteOffset += reportOffset;
}
