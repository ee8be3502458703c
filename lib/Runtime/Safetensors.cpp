//===- Safetensors.cpp - Safetensors files --------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Runtime/Safetensors.h"

#include "Text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <numeric>
#include <sys/mman.h>
#include <sys/stat.h>
#include <tuple>
#include <unistd.h>
#include <utility>

using namespace muon;

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

namespace {
struct DTypeRow {
  DType dtype;
  const char *name;
  unsigned bits;
};
} // namespace

static constexpr DTypeRow dtypes[] = {
    {DType::Bool, "BOOL", 8},
    {DType::F4, "F4", 4},
    {DType::F6E2M3, "F6_E2M3", 6},
    {DType::F6E3M2, "F6_E3M2", 6},
    {DType::U8, "U8", 8},
    {DType::I8, "I8", 8},
    {DType::F8E5M2, "F8_E5M2", 8},
    {DType::F8E4M3, "F8_E4M3", 8},
    {DType::F8E5M2FNUZ, "F8_E5M2FNUZ", 8},
    {DType::F8E4M3FNUZ, "F8_E4M3FNUZ", 8},
    {DType::F8E8M0, "F8_E8M0", 8},
    {DType::I16, "I16", 16},
    {DType::U16, "U16", 16},
    {DType::F16, "F16", 16},
    {DType::BF16, "BF16", 16},
    {DType::I32, "I32", 32},
    {DType::U32, "U32", 32},
    {DType::F32, "F32", 32},
    {DType::C64, "C64", 64},
    {DType::F64, "F64", 64},
    {DType::I64, "I64", 64},
    {DType::U64, "U64", 64},
};

static const DTypeRow &row(DType dtype) {
  return dtypes[static_cast<size_t>(dtype)];
}

static constexpr bool isIndexedByEnum() {
  size_t index = 0;
  for (const DTypeRow &entry : dtypes)
    if (static_cast<size_t>(entry.dtype) != index++)
      return false;
  return true;
}
static_assert(isIndexedByEnum(), "row() indexes the table by the enumerator");

const char *muon::dtypeName(DType dtype) { return row(dtype).name; }

unsigned muon::dtypeBits(DType dtype) { return row(dtype).bits; }

std::optional<DType> muon::parseDType(std::string_view name) {
  for (const DTypeRow &entry : dtypes)
    if (name == entry.name)
      return entry.dtype;
  return std::nullopt;
}

std::optional<uint64_t> muon::tensorBytes(DType dtype,
                                          const std::vector<int64_t> &shape) {
  // A zero anywhere makes the product zero, but only the dimensions before it
  // could overflow; the verdict must not depend on their order.
  if (std::find(shape.begin(), shape.end(), 0) != shape.end())
    return 0;
  uint64_t bits = dtypeBits(dtype);
  for (int64_t dim : shape)
    if (dim < 0 || __builtin_mul_overflow(bits, uint64_t(dim), &bits))
      return std::nullopt;
  if (bits % 8)
    return std::nullopt;
  return bits / 8;
}

//===----------------------------------------------------------------------===//
// The header
//===----------------------------------------------------------------------===//

namespace {

/// A header read as a stream of events: a tree would accept duplicate keys
/// silently, and take several times the memory of a long header.
class HeaderHandler {
public:
  HeaderHandler(std::vector<TensorInfo> &tensors, SafetensorsMetadata &metadata)
      : tensors(tensors), metadata(metadata) {}

  std::string error;

  bool null() { return unexpected("null"); }
  bool boolean(bool) { return unexpected("a boolean"); }
  bool number_float(double, const std::string &text) {
    return number(quote(text));
  }
  // Only numbers with a minus sign arrive here.
  bool number_integer(int64_t value) { return number(std::to_string(value)); }
  bool binary(std::vector<uint8_t> &) { return unexpected("binary data"); }

  bool number_unsigned(uint64_t value) {
    if (value > uint64_t(INT64_MAX))
      return number(std::to_string(value));
    if (state == State::Shape) {
      if (tensors.back().shape.size() == SafetensorsFile::maxRank)
        return fail("shape: more than " +
                    std::to_string(SafetensorsFile::maxRank) + " dimensions");
      tensors.back().shape.push_back(int64_t(value));
      return true;
    }
    if (state == State::Offsets) {
      if (offsetCount == 2)
        return fail("data_offsets: expected 2 numbers, found more");
      (offsetCount ? tensors.back().end : tensors.back().begin) = value;
      ++offsetCount;
      return true;
    }
    return unexpected("a number");
  }

  bool string(std::string &value) {
    if (state == State::MetadataValue) {
      metadata.find(metadataKey)->second = std::move(value);
      state = State::MetadataKey;
      return true;
    }
    if (state == State::DTypeValue) {
      std::optional<DType> dtype = parseDType(value);
      if (!dtype)
        return fail("unknown dtype " + quote(value));
      tensors.back().dtype = *dtype;
      state = State::Field;
      return true;
    }
    return unexpected("a string");
  }

  bool start_object(size_t) {
    switch (state) {
    case State::Start:
      state = State::Name;
      return true;
    case State::TensorStart:
      fields = 0;
      state = State::Field;
      return true;
    case State::MetadataStart:
      state = State::MetadataKey;
      return true;
    default:
      return unexpected("an object");
    }
  }

  bool key(std::string &name) {
    switch (state) {
    case State::Name:
      if (name == "__metadata__") {
        if (hasMetadata)
          return fail("'__metadata__' appears twice");
        hasMetadata = true;
        state = State::MetadataStart;
        return true;
      }
      tensors.emplace_back();
      tensors.back().name = std::move(name);
      state = State::TensorStart;
      return true;
    case State::MetadataKey:
      if (!metadata.emplace(name, "").second)
        return fail("__metadata__: key " + quote(name) + " appears twice");
      metadataKey = std::move(name);
      state = State::MetadataValue;
      return true;
    case State::Field: {
      unsigned bit = 0;
      if (name == "dtype") {
        state = State::DTypeValue;
        bit = HasDType;
      } else if (name == "shape") {
        state = State::ShapeStart;
        bit = HasShape;
      } else if (name == "data_offsets") {
        state = State::OffsetsStart;
        bit = HasOffsets;
      } else {
        return fail("unknown key " + quote(name) +
                    ", expected dtype, shape and data_offsets");
      }
      if (fields & bit)
        return fail("key " + quote(name) + " appears twice");
      fields |= bit;
      return true;
    }
    default:
      return unexpected("a key");
    }
  }

  bool end_object() {
    if (state == State::Field) {
      if (!(fields & HasDType))
        return fail("dtype is missing");
      if (!(fields & HasShape))
        return fail("shape is missing");
      if (!(fields & HasOffsets))
        return fail("data_offsets is missing");
      state = State::Name;
      return true;
    }
    state = state == State::MetadataKey ? State::Name : State::Done;
    return true;
  }

  bool start_array(size_t) {
    if (state == State::ShapeStart) {
      state = State::Shape;
      return true;
    }
    if (state == State::OffsetsStart) {
      state = State::Offsets;
      offsetCount = 0;
      return true;
    }
    return unexpected("an array");
  }

  bool end_array() {
    if (state == State::Offsets && offsetCount != 2)
      return fail("data_offsets: expected 2 numbers, found " +
                  std::to_string(offsetCount));
    state = State::Field;
    return true;
  }

  template <typename Exception>
  bool parse_error(size_t position, const std::string &, const Exception &e) {
    // The library's text ends in the token that it could not read, which may
    // be most of the file.
    std::string reason = e.what();
    if (size_t colon = reason.find(": "); colon != std::string::npos)
      reason.erase(0, colon + 2);
    if (size_t last = reason.find("; last read"); last != std::string::npos)
      reason.erase(last);
    std::string shown = quote(reason);
    error = "header is not valid JSON at byte " + std::to_string(position) +
            ": " + shown.substr(1, shown.size() - 2);
    return false;
  }

private:
  enum class State {
    Start,
    Name,
    MetadataStart,
    MetadataKey,
    MetadataValue,
    TensorStart,
    Field,
    DTypeValue,
    ShapeStart,
    Shape,
    OffsetsStart,
    Offsets,
    Done
  };
  enum : unsigned { HasDType = 1, HasShape = 2, HasOffsets = 4 };

  bool inTensor() const {
    return state >= State::TensorStart && state <= State::Offsets;
  }

  bool fail(const std::string &message) {
    error = "header: ";
    if (inTensor())
      error += "tensor " + quote(tensors.back().name) + ": ";
    error += message;
    return false;
  }

  bool number(const std::string &text) {
    if (state == State::Shape)
      return fail("shape: expected integers from 0 to 2^63 - 1, found " + text +
                  " for dimension " +
                  std::to_string(tensors.back().shape.size()));
    if (state == State::Offsets)
      return fail("data_offsets: expected integers from 0 to 2^63 - 1, found " +
                  text);
    return unexpected("a number");
  }

  bool unexpected(const char *found) {
    const char *expected = "the end";
    switch (state) {
    case State::Start:
    case State::TensorStart:
      expected = "an object";
      break;
    case State::MetadataStart:
      return fail(std::string("__metadata__: expected an object, found ") +
                  found);
    case State::Name:
    case State::MetadataKey:
    case State::Field:
      expected = "a key";
      break;
    case State::MetadataValue:
      return fail("__metadata__: the value of " + quote(metadataKey) +
                  " must be a string, found " + found);
    case State::DTypeValue:
      return fail(std::string("dtype: expected a string, found ") + found);
    case State::ShapeStart:
      return fail(std::string("shape: expected an array, found ") + found);
    case State::OffsetsStart:
      return fail(std::string("data_offsets: expected an array, found ") +
                  found);
    case State::Shape:
      return fail(std::string("shape: expected integers, found ") + found);
    case State::Offsets:
      return fail(std::string("data_offsets: expected integers, found ") +
                  found);
    case State::Done:
      break;
    }
    return fail(std::string("expected ") + expected + ", found " + found);
  }

  std::vector<TensorInfo> &tensors;
  SafetensorsMetadata &metadata;
  std::string metadataKey;
  State state = State::Start;
  unsigned fields = 0;
  unsigned offsetCount = 0;
  bool hasMetadata = false;
};

} // namespace

/// Checks that the tensors, which are in the order of their data, tile it.
/// `dataBytes` is nullopt if no data is there to compare with.
static bool checkLayout(const std::vector<TensorInfo> &tensors,
                        std::optional<uint64_t> dataBytes, std::string &error) {
  for (const TensorInfo &info : tensors) {
    auto fail = [&](const std::string &message) {
      error = "header: tensor " + quote(info.name) + ": " + message;
      return false;
    };
    std::string range = "[" + std::to_string(info.begin) + ", " +
                        std::to_string(info.end) + "]";
    if (info.begin > info.end)
      return fail("data_offsets " + range + " are reversed");
    if (dataBytes && info.end > *dataBytes)
      return fail("data_offsets " + range + " are out of the file, which has " +
                  std::to_string(*dataBytes) + " bytes of data");
    std::optional<uint64_t> bytes = tensorBytes(info.dtype, info.shape);
    if (!bytes)
      return fail("the size of " + std::string(dtypeName(info.dtype)) + " " +
                  shapeText(info.shape) +
                  " overflows or is not a whole number of bytes");
    if (*bytes != info.bytes())
      return fail("data_offsets " + range + " span " +
                  std::to_string(info.bytes()) + " bytes, expected " +
                  std::to_string(*bytes) + " for " + dtypeName(info.dtype) +
                  " " + shapeText(info.shape));
  }

  uint64_t end = 0;
  const TensorInfo *previous = nullptr;
  for (const TensorInfo &info : tensors) {
    if (info.begin != end) {
      std::string before =
          previous ? "the end of " + quote(previous->name) : "the first byte";
      error =
          "header: tensor " + quote(info.name) + ": data begins at " +
          std::to_string(info.begin) + ", expected " + std::to_string(end) +
          ", " + before +
          (info.begin < end ? " (tensors overlap)" : " (a hole in the data)");
      return false;
    }
    end = info.end;
    previous = &info;
  }
  if (dataBytes && end != *dataBytes) {
    error = "header: tensors end at " + std::to_string(end) +
            ", but the file has " + std::to_string(*dataBytes) +
            " bytes of data";
    return false;
  }
  return true;
}

static bool parseHeader(const char *text, size_t size,
                        std::optional<uint64_t> dataBytes,
                        std::vector<TensorInfo> &tensors,
                        std::vector<uint32_t> &byName,
                        SafetensorsMetadata &metadata, std::string &error) {
  if (size == 0 || text[0] != '{') {
    error = "header does not begin with '{'; not a safetensors file";
    return false;
  }
  HeaderHandler handler(tensors, metadata);
  if (!nlohmann::json::sax_parse(text, text + size, &handler)) {
    error = handler.error;
    return false;
  }
  std::sort(tensors.begin(), tensors.end(),
            [](const TensorInfo &a, const TensorInfo &b) {
              return std::tie(a.begin, a.end, a.name) <
                     std::tie(b.begin, b.end, b.name);
            });

  byName.resize(tensors.size());
  std::iota(byName.begin(), byName.end(), 0u);
  std::sort(byName.begin(), byName.end(), [&](uint32_t a, uint32_t b) {
    return tensors[a].name < tensors[b].name;
  });
  auto twin = std::adjacent_find(byName.begin(), byName.end(),
                                 [&](uint32_t a, uint32_t b) {
                                   return tensors[a].name == tensors[b].name;
                                 });
  if (twin != byName.end()) {
    error = "header: tensor " + quote(tensors[*twin].name) + " appears twice";
    return false;
  }
  return checkLayout(tensors, dataBytes, error);
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

namespace {
/// A file descriptor that closes itself.
struct Descriptor {
  int fd;
  explicit Descriptor(int fd) : fd(fd) {}
  Descriptor(const Descriptor &) = delete;
  Descriptor &operator=(const Descriptor &) = delete;
  ~Descriptor() {
    if (fd >= 0)
      ::close(fd);
  }
};
} // namespace

static std::string systemError() { return std::strerror(errno); }

static bool readAt(int fd, void *buffer, uint64_t bytes, uint64_t offset) {
  auto *to = static_cast<char *>(buffer);
  while (bytes) {
    ssize_t count = ::pread(fd, to, std::min<uint64_t>(bytes, 1 << 30),
                            static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR)
      continue;
    if (count == 0)
      errno = EIO;
    if (count <= 0)
      return false;
    to += count;
    offset += uint64_t(count);
    bytes -= uint64_t(count);
  }
  return true;
}

std::unique_ptr<SafetensorsFile>
SafetensorsFile::open(const std::string &path, std::string &error, Mode mode) {
  auto fail = [&](const std::string &message) {
    error = path + ": " + message;
    return nullptr;
  };
  try {
    // Opening a pipe would wait for a writer.
    Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status;
    if (file.fd < 0 || ::fstat(file.fd, &status) != 0)
      return fail("cannot open: " + systemError());
    if (!S_ISREG(status.st_mode))
      return fail("not a regular file");
    auto fileBytes = static_cast<uint64_t>(status.st_size);
    if (fileBytes < 8)
      return fail("file has " + std::to_string(fileBytes) +
                  " bytes, a safetensors file has at least 8");

    unsigned char prefix[8];
    if (!readAt(file.fd, prefix, 8, 0))
      return fail("cannot read: " + systemError());
    uint64_t headerBytes = 0;
    for (int i = 7; i >= 0; --i)
      headerBytes = headerBytes << 8 | prefix[i];
    if (headerBytes > maxHeaderBytes)
      return fail("header length is " + std::to_string(headerBytes) +
                  ", at most " + std::to_string(maxHeaderBytes) +
                  " is allowed; not a safetensors file?");
    if (headerBytes > fileBytes - 8)
      return fail("header length is " + std::to_string(headerBytes) +
                  ", but only " + std::to_string(fileBytes - 8) +
                  " bytes follow it in the file");

    std::string header(headerBytes, '\0');
    if (!readAt(file.fd, header.data(), headerBytes, 8))
      return fail("cannot read: " + systemError());

    std::unique_ptr<SafetensorsFile> result(new SafetensorsFile);
    result->filePath = path;
    result->dataOffset = 8 + headerBytes;
    std::optional<uint64_t> dataBytes;
    if (mode != Mode::HeaderWithoutData)
      dataBytes = fileBytes - result->dataOffset;
    std::string message;
    if (!parseHeader(header.data(), header.size(), dataBytes, result->infos,
                     result->byName, result->fileMetadata, message))
      return fail(message);

    if (mode == Mode::Data) {
      void *address =
          ::mmap(nullptr, fileBytes, PROT_READ, MAP_PRIVATE, file.fd, 0);
      if (address == MAP_FAILED)
        return fail("cannot map: " + systemError());
      result->mapping = address;
      result->mappingBytes = fileBytes;
    }
    return result;
  } catch (const std::exception &e) {
    return fail(e.what());
  }
}

SafetensorsFile::~SafetensorsFile() {
  if (mapping)
    ::munmap(mapping, mappingBytes);
}

const TensorInfo *SafetensorsFile::find(std::string_view name) const {
  auto it = std::lower_bound(
      byName.begin(), byName.end(), name,
      [&](uint32_t a, std::string_view b) { return infos[a].name < b; });
  if (it == byName.end() || infos[*it].name != name)
    return nullptr;
  return &infos[*it];
}

const void *SafetensorsFile::data(const TensorInfo &info) const {
  if (!mapping)
    return nullptr;
  return static_cast<const char *>(mapping) + dataOffset + info.begin;
}

void SafetensorsFile::read(const TensorInfo &info, void *to) const {
  // Pages that were read count as ours for as long as they stay mapped.
  constexpr uint64_t piece = 1 << 24;
  const auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  auto *base = static_cast<char *>(mapping);
  for (uint64_t offset = 0; offset < info.bytes(); offset += piece) {
    uint64_t begin = dataOffset + info.begin + offset;
    uint64_t bytes = std::min(piece, info.bytes() - offset);
    std::memcpy(static_cast<char *>(to) + offset, base + begin, bytes);
    // What other tensors have in these pages is mapped again when it is used.
    uint64_t first = begin / page * page;
    ::madvise(base + first, begin + bytes - first, MADV_DONTNEED);
  }
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

static bool writeAll(int fd, const void *data, uint64_t bytes) {
  const auto *from = static_cast<const char *>(data);
  while (bytes) {
    ssize_t count = ::write(fd, from, std::min<uint64_t>(bytes, 1 << 30));
    if (count < 0 && errno == EINTR)
      continue;
    if (count < 0)
      return false;
    from += count;
    bytes -= uint64_t(count);
  }
  return true;
}

/// The header with its length; nullopt with a message if the tensors cannot be
/// written. `order` receives the order of the data.
static std::optional<std::string>
makeHeader(const std::vector<TensorToWrite> &tensors,
           const SafetensorsMetadata &metadata, std::vector<size_t> &order,
           std::string &error) {
  order.resize(tensors.size());
  std::iota(order.begin(), order.end(), size_t(0));
  std::vector<size_t> byName = order;
  std::sort(byName.begin(), byName.end(), [&](size_t a, size_t b) {
    return tensors[a].name < tensors[b].name;
  });
  for (size_t i = 1; i < byName.size(); ++i) {
    if (tensors[byName[i]].name == tensors[byName[i - 1]].name) {
      error = "tensor " + quote(tensors[byName[i]].name) + " appears twice";
      return std::nullopt;
    }
  }
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    unsigned bitsA = dtypeBits(tensors[a].dtype);
    unsigned bitsB = dtypeBits(tensors[b].dtype);
    return bitsA != bitsB ? bitsA > bitsB : a < b;
  });

  // dump() is strict about UTF-8 and reports by throwing.
  auto dump = [](const std::string &text) {
    return nlohmann::json(text).dump();
  };
  std::string header = "{";
  if (!metadata.empty()) {
    header += "\"__metadata__\":{";
    const char *separator = "";
    for (const auto &[key, value] : metadata) {
      header += separator + dump(key) + ":" + dump(value);
      separator = ",";
    }
    header += "}";
  }
  uint64_t offset = 0;
  for (size_t index : order) {
    const TensorToWrite &tensor = tensors[index];
    std::optional<uint64_t> bytes = tensorBytes(tensor.dtype, tensor.shape);
    uint64_t end = 0;
    if (!bytes || __builtin_add_overflow(offset, *bytes, &end) ||
        end > uint64_t(INT64_MAX) || tensor.name == "__metadata__" ||
        tensor.shape.size() > SafetensorsFile::maxRank ||
        (*bytes && !tensor.data)) {
      error = "tensor " + quote(tensor.name) + " of type " +
              dtypeName(tensor.dtype) + " " + shapeText(tensor.shape) +
              " cannot be written";
      return std::nullopt;
    }
    if (header.size() > 1)
      header += ",";
    header += dump(tensor.name) + ":{\"dtype\":\"" + dtypeName(tensor.dtype) +
              "\",\"shape\":[";
    for (size_t i = 0; i < tensor.shape.size(); ++i)
      header += (i ? "," : "") + std::to_string(tensor.shape[i]);
    header += "],\"data_offsets\":[" + std::to_string(offset) + "," +
              std::to_string(end) + "]}";
    offset = end;
  }
  header += "}";
  header.append((8 - header.size() % 8) % 8, ' ');
  if (header.size() > SafetensorsFile::maxHeaderBytes) {
    error = "header would have " + std::to_string(header.size()) +
            " bytes, at most " +
            std::to_string(SafetensorsFile::maxHeaderBytes) + " is allowed";
    return std::nullopt;
  }
  std::string prefix;
  for (int i = 0; i < 8; ++i)
    prefix += static_cast<char>(uint64_t(header.size()) >> (8 * i));
  return prefix + header;
}

/// Where a rename must go to replace the file that `path` means, rather than
/// the link to it.
static std::string resolveLinks(const std::string &path) {
  if (char *resolved = ::realpath(path.c_str(), nullptr)) {
    std::string result = resolved;
    std::free(resolved);
    return result;
  }
  return path;
}

static std::string directoryOf(const std::string &path) {
  size_t slash = path.rfind('/');
  if (slash == std::string::npos)
    return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

StagedFile::StagedFile(StagedFile &&other) noexcept
    : path(std::move(other.path)),
      temporary(std::exchange(other.temporary, std::string())) {}

StagedFile &StagedFile::operator=(StagedFile &&other) noexcept {
  std::swap(path, other.path);
  std::swap(temporary, other.temporary);
  return *this;
}

StagedFile::~StagedFile() {
  if (!temporary.empty())
    ::unlink(temporary.c_str());
}

std::optional<StagedFile> StagedFile::write(const std::string &path,
                                            const Parts &parts,
                                            std::string &error) {
  auto fail = [&](const std::string &message) {
    error = path + ": " + message;
    return std::nullopt;
  };
  StagedFile staged;
  staged.path = resolveLinks(path);
  struct stat status;
  bool exists = ::stat(staged.path.c_str(), &status) == 0;
  if (exists && !S_ISREG(status.st_mode))
    return fail("not a regular file");

  // The name does not grow from the destination's, which may already be as
  // long as the file system allows.
  static std::atomic<unsigned> serial{0};
  std::string stem =
      directoryOf(staged.path) + "/.muon-" + std::to_string(::getpid()) + "-";
  int fd = -1;
  for (int attempt = 0; attempt < 1000 && fd < 0; ++attempt) {
    std::string name = stem + std::to_string(serial++) + ".tmp";
    fd = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd >= 0)
      staged.temporary = name;
    else if (errno != EEXIST)
      break;
  }
  if (fd < 0)
    return fail("cannot create a file in '" + directoryOf(staged.path) +
                "': " + systemError());
  Descriptor file(fd);
  if (exists && ::fchmod(fd, status.st_mode & 07777) != 0)
    return fail("cannot set the file mode: " + systemError());
  for (const auto &[data, bytes] : parts)
    if (!writeAll(fd, data, bytes))
      return fail("cannot write: " + systemError());
  if (::fsync(fd) != 0)
    return fail("cannot write: " + systemError());
  file.fd = -1;
  // Some file systems report a full disk only here.
  if (::close(fd) != 0)
    return fail("cannot write: " + systemError());
  return staged;
}

std::optional<StagedFile> StagedFile::writeSafetensors(
    const std::string &path, const std::vector<TensorToWrite> &tensors,
    const SafetensorsMetadata &metadata, std::string &error) {
  auto fail = [&](const std::string &message) {
    error = path + ": " + message;
    return std::nullopt;
  };
  try {
    std::vector<size_t> order;
    std::string message;
    std::optional<std::string> header =
        makeHeader(tensors, metadata, order, message);
    if (!header)
      return fail(message);
    Parts parts = {{header->data(), header->size()}};
    for (size_t index : order)
      parts.emplace_back(
          tensors[index].data,
          *tensorBytes(tensors[index].dtype, tensors[index].shape));
    return write(path, parts, error);
  } catch (const std::exception &e) {
    return fail(e.what());
  }
}

std::optional<StagedFile> StagedFile::writeText(const std::string &path,
                                                std::string_view text,
                                                std::string &error) {
  try {
    return write(path, {{text.data(), text.size()}}, error);
  } catch (const std::exception &e) {
    error = path + ": " + e.what();
    return std::nullopt;
  }
}

/// The file is complete under its name by now; a directory that cannot be
/// flushed only weakens what a power failure leaves.
static void flushDirectoryOf(const std::string &path) {
  Descriptor directory(
      ::open(directoryOf(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.fd >= 0)
    (void)::fsync(directory.fd);
}

bool StagedFile::commit(std::string &error) {
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    error = path + ": cannot replace: " + systemError();
    return false;
  }
  temporary.clear();
  flushDirectoryOf(path);
  return true;
}

bool StagedFile::exchange(std::string &error) {
  struct stat status;
  if (::lstat(path.c_str(), &status) != 0 && errno == ENOENT)
    return commit(error);
  // Names of anything can be exchanged.
  if (!S_ISREG(status.st_mode)) {
    error = path + ": cannot replace: not a regular file";
    return false;
  }
  auto fail = [&] {
    error = path + ": cannot replace: " + systemError();
    return false;
  };
  if (::renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, path.c_str(),
                  RENAME_EXCHANGE) != 0) {
    if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
      return fail();
    // File systems that cannot: a second name for the old file, or, without
    // links too, another one, with a moment in which there is no file.
    const std::string old = temporary + ".old";
    const bool isLinked = ::link(path.c_str(), old.c_str()) == 0;
    if (!isLinked && ::rename(path.c_str(), old.c_str()) != 0)
      return fail();
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
      (void)fail();
      if (isLinked)
        ::unlink(old.c_str());
      else
        (void)::rename(old.c_str(), path.c_str());
      return false;
    }
    temporary = old;
  }
  flushDirectoryOf(path);
  return true;
}

bool StagedFile::revert(std::string &error) {
  const bool isReverted = temporary.empty()
                              ? ::unlink(path.c_str()) == 0
                              : ::rename(temporary.c_str(), path.c_str()) == 0;
  if (!isReverted) {
    error = path + ": cannot put back what was there before: " + systemError();
    if (!temporary.empty())
      error += "; it is in " + temporary;
  }
  temporary.clear();
  flushDirectoryOf(path);
  return isReverted;
}

bool muon::writeSafetensors(const std::string &path,
                            const std::vector<TensorToWrite> &tensors,
                            const SafetensorsMetadata &metadata,
                            std::string &error) {
  std::optional<StagedFile> staged =
      StagedFile::writeSafetensors(path, tensors, metadata, error);
  return staged && staged->commit(error);
}
