//===- Safetensors.h - Safetensors files ------------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reading and writing of safetensors files: an eight-byte little-endian length,
// a JSON header of that length, and the bytes of the tensors without holes.
//
// A file is input from elsewhere: whatever the header says is checked against
// the size of the file before it is believed, and everything that the format
// forbids is an error. Nothing here throws; failure is a null or false result
// and a message that says what is wrong, where, what was expected and what was
// found.
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_RUNTIME_SAFETENSORS_H
#define MUON_MLIR_RUNTIME_SAFETENSORS_H

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace muon {

/// The element types of the format.
enum class DType : uint8_t {
  Bool,
  F4,
  F6E2M3,
  F6E3M2,
  U8,
  I8,
  F8E5M2,
  F8E4M3,
  F8E5M2FNUZ,
  F8E4M3FNUZ,
  F8E8M0,
  I16,
  U16,
  F16,
  BF16,
  I32,
  U32,
  F32,
  C64,
  F64,
  I64,
  U64
};

/// The name that the format gives to a type, e.g. `BF16`.
const char *dtypeName(DType dtype);
std::optional<DType> parseDType(std::string_view name);

/// Size of one element. Not a multiple of eight for the types below a byte.
unsigned dtypeBits(DType dtype);

/// Bytes of a tensor; nullopt if they overflow or end within a byte.
std::optional<uint64_t> tensorBytes(DType dtype,
                                    const std::vector<int64_t> &shape);

struct TensorInfo {
  std::string name;
  DType dtype = DType::F32;
  std::vector<int64_t> shape;
  /// The bytes of the tensor, counted from the end of the header.
  uint64_t begin = 0, end = 0;

  uint64_t bytes() const { return end - begin; }
};

using SafetensorsMetadata = std::map<std::string, std::string>;

/// An open file. The tensors are in the order of their data.
class SafetensorsFile {
public:
  enum class Mode {
    /// Map the data, so that data() can be used.
    Data,
    /// Read nothing but the header. The size of the file is still checked.
    Header,
    /// Read nothing but the header, and do not expect any data after it. For
    /// headers that were cut off a checkpoint.
    HeaderWithoutData
  };

  /// Longer headers, and more dimensions, are refused.
  static constexpr uint64_t maxHeaderBytes = 100'000'000;
  static constexpr size_t maxRank = 64;

  /// The file must not be changed while it is open; replacing it by renaming
  /// another one over it is fine.
  static std::unique_ptr<SafetensorsFile>
  open(const std::string &path, std::string &error, Mode mode = Mode::Data);

  ~SafetensorsFile();
  SafetensorsFile(const SafetensorsFile &) = delete;
  SafetensorsFile &operator=(const SafetensorsFile &) = delete;

  const std::string &path() const { return filePath; }
  const std::vector<TensorInfo> &tensors() const { return infos; }
  const SafetensorsMetadata &metadata() const { return fileMetadata; }

  /// Null if there is no such tensor.
  const TensorInfo *find(std::string_view name) const;

  /// The read-only data of one of tensors(); null unless opened with
  /// Mode::Data. The format does not align data, so the address may not even
  /// be a multiple of the element size.
  const void *data(const TensorInfo &info) const;

  /// Copies the data of one of tensors() to where there is room for it. Unlike
  /// a copy from data(), this does not leave the file in memory as well. Only
  /// with Mode::Data.
  void read(const TensorInfo &info, void *to) const;

private:
  SafetensorsFile() = default;

  std::string filePath;
  std::vector<TensorInfo> infos;
  /// Indices into `infos`, sorted by name.
  std::vector<uint32_t> byName;
  SafetensorsMetadata fileMetadata;
  void *mapping = nullptr;
  uint64_t mappingBytes = 0;
  uint64_t dataOffset = 0;
};

/// A tensor to write. The data stays the caller's.
struct TensorToWrite {
  std::string name;
  DType dtype = DType::F32;
  std::vector<int64_t> shape;
  const void *data = nullptr;
};

/// A complete file under a temporary name, next to where it shall be. Removed
/// unless it is committed, so that several files can be prepared before the
/// first of them becomes visible.
class StagedFile {
public:
  StagedFile() = default;
  StagedFile(StagedFile &&other) noexcept;
  StagedFile &operator=(StagedFile &&other) noexcept;
  ~StagedFile();

  /// Writes the tensors to a temporary file and flushes it to the disk. A link
  /// at `path` is followed; the mode of an existing file is kept. Wider
  /// elements are placed first, which aligns every tensor for its type.
  static std::optional<StagedFile>
  writeSafetensors(const std::string &path,
                   const std::vector<TensorToWrite> &tensors,
                   const SafetensorsMetadata &metadata, std::string &error);

  /// Likewise, for text.
  static std::optional<StagedFile>
  writeText(const std::string &path, std::string_view text, std::string &error);

  /// Renames the temporary file to the path it was made for. On failure the
  /// destination is as it was.
  bool commit(std::string &error);

  /// Likewise, but what was there before is kept under the temporary name until
  /// this object ends, or revert() puts it back. Atomic where the file system
  /// can exchange names.
  bool exchange(std::string &error);
  /// Only after exchange(). On failure the error says where the old file is,
  /// which is then left there.
  bool revert(std::string &error);

private:
  /// One after the other.
  using Parts = std::vector<std::pair<const void *, uint64_t>>;
  static std::optional<StagedFile>
  write(const std::string &path, const Parts &parts, std::string &error);

  std::string path, temporary;
};

/// Writes a file in one go; see StagedFile.
bool writeSafetensors(const std::string &path,
                      const std::vector<TensorToWrite> &tensors,
                      const SafetensorsMetadata &metadata, std::string &error);

} // namespace muon

#endif // MUON_MLIR_RUNTIME_SAFETENSORS_H
