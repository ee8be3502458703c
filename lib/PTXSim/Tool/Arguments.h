//===- Arguments.h - Arguments of a kernel ----------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_PTXSIM_TOOL_ARGUMENTS_H
#define MUON_MLIR_LIB_PTXSIM_TOOL_ARGUMENTS_H

#include "muon-mlir/PTXSim/PTXSim.h"
#include "muon-mlir/Runtime/Safetensors.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace muon::ptxsim {

/// What stands behind one `--arg`, checked against its parameter.
struct Argument {
  enum class Kind { Value, In, InOut, Out, Zero };

  Kind kind = Kind::Value;
  /// Of a Value: as many as the parameter has.
  std::vector<uint8_t> bytes;

  // Of a tensor.
  std::string name;
  DType dtype = DType::F32;
  std::vector<int64_t> shape;
  uint64_t tensorBytes = 0;
  /// In and InOut: where the data is.
  const SafetensorsFile *file = nullptr;
  const TensorInfo *source = nullptr;

  bool isTensor() const { return kind != Kind::Value; }
  bool isOutput() const { return isTensor() && kind != Kind::In; }
  unsigned elementBytes() const { return dtypeBits(dtype) / 8; }
  /// Name and indices of an element.
  std::string elementName(uint64_t index) const;
};

class ArgumentReader {
public:
  /// False, with a message, if they are not what the kernel takes.
  bool read(const std::vector<std::string> &specs, const KernelInfo &kernel);

  std::vector<Argument> arguments;
  std::string error;

private:
  bool fail(const std::string &message) {
    error = message;
    return false;
  }
  bool readOne(const std::string &spec, const ParameterInfo &parameter,
               Argument &argument);
  bool readValue(const std::string &type, const std::string &text,
                 const ParameterInfo &parameter, Argument &argument);
  bool readBytes(const std::string &text, const ParameterInfo &parameter,
                 Argument &argument);
  bool readFileTensor(const std::string &text, Argument &argument);
  bool readNewTensor(const std::string &text, Argument &argument);
  bool checkOutputs();
  bool checkMemory();

  /// By path.
  std::map<std::string, std::unique_ptr<SafetensorsFile>> files;
};

/// An element in decimal, where its type allows, and in bits.
std::string valueText(DType dtype, const void *element);

} // namespace muon::ptxsim

#endif // MUON_MLIR_LIB_PTXSIM_TOOL_ARGUMENTS_H
