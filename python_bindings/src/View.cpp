//===- View.cpp - Memory of tensors of others -----------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "View.h"

#include "Errors.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include <algorithm>
#include <cstring>

namespace nb = nanobind;

namespace muon::python {

//===-- What DLPack 0.8 and 1 exchange ------------------------------------===//

namespace {

struct Managed {
  nb::dlpack::dltensor tensor;
  void *context;
  void (*deleter)(Managed *);
};

struct ManagedVersioned {
  uint32_t major, minor;
  void *context;
  void (*deleter)(ManagedVersioned *);
  uint64_t flags;
  nb::dlpack::dltensor tensor;
};

constexpr uint64_t kReadOnly = 1;
constexpr int kCpu = 1, kCuda = 2, kCudaHost = 3, kCudaManaged = 13;
constexpr int kInt = 0, kUInt = 1, kFloat = 2, kBfloat = 4, kBool = 6;

} // namespace

static std::string deviceName(int type, int number) {
  switch (type) {
  case kCpu:
    return "cpu";
  case kCuda:
    return "cuda:" + std::to_string(number);
  case kCudaHost:
    return "cuda_host";
  case kCudaManaged:
    return "cuda_managed";
  default:
    return "of DLPack type " + std::to_string(type);
  }
}

const char *dtypeName(MuonType type) {
  switch (type) {
  case MUON_TYPE_F32:
    return "float32";
  case MUON_TYPE_BF16:
    return "bfloat16";
  case MUON_TYPE_F16:
    return "float16";
  case MUON_TYPE_F64:
    return "float64";
  case MUON_TYPE_I64:
    return "int64";
  case MUON_TYPE_I1:
    return "bool";
  default:
    return "unknown";
  }
}

static std::string describe(const nb::dlpack::dtype &dtype) {
  const char *kind = dtype.code == kInt      ? "int"
                     : dtype.code == kUInt   ? "uint"
                     : dtype.code == kFloat  ? "float"
                     : dtype.code == kBfloat ? "bfloat"
                     : dtype.code == kBool   ? "bool"
                                             : nullptr;
  if (dtype.lanes != 1 || !kind)
    return "of DLPack code " + std::to_string(dtype.code) + ", " +
           std::to_string(dtype.lanes) + " lanes of " +
           std::to_string(dtype.bits) + " bits";
  return dtype.code == kBool ? kind : kind + std::to_string(dtype.bits);
}

std::string shapeText(const int64_t *shape, size_t rank) {
  std::string text = "(";
  for (size_t i = 0; i < rank; ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + (rank == 1 ? ",)" : ")");
}

//===-- Import ------------------------------------------------------------===//

class Importer {
public:
  explicit Importer(const Wanted &wanted) : wanted(wanted) {}

  View import(nb::handle object) {
    if (PyObject_CheckBuffer(object.ptr()))
      return fromBuffer(object, /*areBits=*/false);
    if (nb::isinstance<DeviceArray>(object))
      return fromDeviceArray(object);
    if (nb::isinstance<BFloat16>(object))
      return fromBits(nb::cast<const BFloat16 &>(object).bits);
    if (nb::hasattr(object, "__dlpack__"))
      return fromDLPack(object, /*areBits=*/false);
    fail(
        "expected a tensor that has __dlpack__ or the buffer protocol, found " +
        typeName(object));
  }

private:
  [[noreturn]] void fail(const std::string &message) {
    raiseArgument(std::string(wanted.role) + " '" + wanted.name +
                  "': " + message);
  }

  static std::string typeName(nb::handle object) {
    return nb::cast<std::string>(nb::str(
        nb::handle((PyObject *)Py_TYPE(object.ptr())).attr("__name__")));
  }

  /// What the exporter says, as ours.
  [[noreturn]] void failFrom(const nb::python_error &error) {
    fail("cannot be exported: " +
         nb::cast<std::string>(nb::str(error.value())));
  }

  void checkDType(const std::string &found) {
    const char *expected = dtypeName(wanted.type);
    if (found == expected)
      return;
    std::string hint;
    if (wanted.type == MUON_TYPE_BF16 && found == "uint16")
      hint = "; muon_mlir.bfloat16() says that these are its bits";
    fail("dtype is " + found + ", expected " + expected + hint);
  }

  void checkShape(const int64_t *shape, size_t rank) {
    if (rank != wanted.rank || !std::equal(shape, shape + rank, wanted.shape))
      fail("shape is " + shapeText(shape, rank) + ", expected " +
           shapeText(wanted.shape, wanted.rank));
  }

  /// `strides` in units of `unit`; null for contiguous memory.
  void checkContiguous(const int64_t *strides, int64_t unit) {
    if (!strides || !wanted.bytes)
      return;
    int64_t expected = unit;
    for (size_t i = wanted.rank; i-- > 0;) {
      if (wanted.shape[i] != 1 && strides[i] != expected) {
        std::string found;
        for (size_t j = 0; j < wanted.rank; ++j)
          found += (j ? ", " : "") + std::to_string(strides[j] / unit);
        fail("not contiguous in row-major order: strides are (" + found +
             (wanted.rank == 1 ? ",)" : ")") + " elements, of shape " +
             shapeText(wanted.shape, wanted.rank));
      }
      expected *= wanted.shape[i];
    }
  }

  void checkWritable(bool isReadOnly) {
    if (isReadOnly && wanted.isWritten)
      fail("read-only, but the step writes to it");
  }

  bool isCuda() const { return !std::strcmp(wanted.device, "cuda"); }

  void checkDevice(int type, int number) {
    const bool isHost = type == kCpu || type == kCudaHost;
    const bool isGpu = type == kCuda || type == kCudaManaged;
    if (wanted.isHostMemory ? isHost || type == kCudaManaged
                            : isGpu && isCuda())
      return;
    std::string hint;
    if (!wanted.isHostMemory && !isCuda())
      hint = "; Step.empty() allocates memory of it";
    fail("device is " + deviceName(type, number) + ", expected " +
         wanted.device + hint);
  }

  View fromDeviceArray(nb::handle object) {
    const auto &array = nb::cast<const DeviceArray &>(object);
    checkDType(dtypeName(array.type));
    checkShape(array.shape.data(), array.shape.size());
    View view;
    view.address = array.data;
    view.release = [owner = nb::borrow(object)] {};
    return view;
  }

  View fromBits(nb::handle bits) {
    return PyObject_CheckBuffer(bits.ptr())
               ? fromBuffer(bits, /*areBits=*/true)
               : fromDLPack(bits, /*areBits=*/true);
  }

  /// Of NumPy: others may copy where NumPy views.
  static bool isBFloat16Array(nb::handle object) {
    if (!nb::hasattr(object, "__array_interface__") ||
        !nb::hasattr(object, "dtype"))
      return false;
    nb::object dtype = object.attr("dtype");
    return nb::hasattr(dtype, "name") &&
           nb::cast<std::string>(nb::str(dtype.attr("name"))) == "bfloat16";
  }

  static std::string nameOfBits(const std::string &dtype) {
    return dtype == "uint16" || dtype == "int16" || dtype == "bfloat16"
               ? "bfloat16"
               : dtype + " for the bits of bfloat16";
  }

  static std::string bufferDType(const Py_buffer &buffer) {
    const char *format = buffer.format ? buffer.format : "B";
    const char *const whole = format;
    auto other = [&] {
      return "of buffer format '" + std::string(whole) + "'";
    };
    if (*format == '@' || *format == '=' || *format == '<')
      ++format;
    if (!*format || format[1])
      return other();
    const auto bits = std::to_string(buffer.itemsize * 8);
    if (std::strchr("efd", *format))
      return "float" + bits;
    if (std::strchr("bhilqn", *format))
      return "int" + bits;
    if (std::strchr("BHILQN", *format))
      return "uint" + bits;
    return *format == '?' ? "bool" : other();
  }

  View fromBuffer(nb::handle object, bool areBits) {
    auto owned = std::make_unique<Py_buffer>();
    if (PyObject_GetBuffer(object.ptr(), owned.get(), PyBUF_FULL_RO)) {
      nb::python_error error;
      // NumPy exports the types of ml_dtypes by neither protocol, but their
      // bits.
      if (!areBits && isBFloat16Array(object))
        return fromBits(object.attr("view")("uint16"));
      if (nb::hasattr(object, "__dlpack__"))
        return fromDLPack(object, areBits);
      failFrom(error);
    }
    Py_buffer &buffer = *owned;
    View view;
    view.release = [buffer = owned.release()] {
      PyBuffer_Release(buffer);
      delete buffer;
    };
    std::string dtype = bufferDType(buffer);
    checkDType(areBits ? nameOfBits(dtype) : dtype);
    static_assert(sizeof(Py_ssize_t) == sizeof(int64_t));
    const auto *shape = reinterpret_cast<const int64_t *>(buffer.shape);
    checkShape(shape, size_t(buffer.ndim));
    if (buffer.suboffsets)
      fail("not contiguous: has suboffsets");
    checkContiguous(reinterpret_cast<const int64_t *>(buffer.strides),
                    buffer.itemsize);
    checkWritable(buffer.readonly);
    checkDevice(kCpu, 0);
    view.address = buffer.buf;
    return view;
  }

  nb::object capsuleOf(nb::handle object, int deviceType) {
    nb::object method = object.attr("__dlpack__");
    // The caller orders what is on streams; an export must not wait for it.
    nb::dict arguments;
    if (deviceType == kCuda || deviceType == kCudaManaged)
      arguments["stream"] = -1;
    nb::dict versioned;
    versioned.update(arguments);
    versioned["max_version"] = nb::make_tuple(1, 0);
    try {
      return method(**nb::borrow<nb::kwargs>(versioned));
    } catch (nb::python_error &error) {
      // Exporters of before DLPack 1 do not know the argument.
      if (!error.matches(PyExc_TypeError))
        throw;
    }
    return method(**nb::borrow<nb::kwargs>(arguments));
  }

  View fromDLPack(nb::handle object, bool areBits) {
    int device[2] = {kCpu, 0};
    nb::object capsule;
    try {
      if (!nb::hasattr(object, "__dlpack_device__") ||
          !nb::hasattr(object, "__dlpack__"))
        fail("expected a tensor that has __dlpack__ and __dlpack_device__, "
             "found " +
             typeName(object));
      auto pair = nb::cast<nb::sequence>(object.attr("__dlpack_device__")());
      for (int i = 0; i < 2; ++i)
        device[i] = nb::cast<int>(nb::int_(pair[i]));
      checkDevice(device[0], device[1]);
      capsule = capsuleOf(object, device[0]);
    } catch (nb::python_error &error) {
      if (error.matches(
              nb::module_::import_("muon_mlir._errors").attr("Error")))
        throw;
      failFrom(error);
    } catch (const nb::cast_error &) {
      fail("__dlpack_device__() is not a pair of numbers");
    }
    View view;
    const nb::dlpack::dltensor *tensor = nullptr;
    bool isReadOnly = false;
    if (PyCapsule_IsValid(capsule.ptr(), "dltensor_versioned")) {
      auto *managed = static_cast<ManagedVersioned *>(
          PyCapsule_GetPointer(capsule.ptr(), "dltensor_versioned"));
      if (managed->major != 1)
        fail("DLPack version is " + std::to_string(managed->major) + "." +
             std::to_string(managed->minor) + ", expected 1");
      PyCapsule_SetName(capsule.ptr(), "used_dltensor_versioned");
      view.release = [managed] {
        if (managed->deleter)
          managed->deleter(managed);
      };
      tensor = &managed->tensor;
      isReadOnly = managed->flags & kReadOnly;
    } else if (PyCapsule_IsValid(capsule.ptr(), "dltensor")) {
      auto *managed = static_cast<Managed *>(
          PyCapsule_GetPointer(capsule.ptr(), "dltensor"));
      PyCapsule_SetName(capsule.ptr(), "used_dltensor");
      view.release = [managed] {
        if (managed->deleter)
          managed->deleter(managed);
      };
      tensor = &managed->tensor;
    } else {
      fail("__dlpack__() did not return a DLPack capsule");
    }
    std::string dtype = describe(tensor->dtype);
    if (dtype == "bool" && tensor->dtype.bits != 8)
      dtype += " of " + std::to_string(tensor->dtype.bits) + " bits";
    checkDType(areBits ? nameOfBits(dtype) : dtype);
    checkShape(tensor->shape, size_t(tensor->ndim));
    checkContiguous(tensor->strides, 1);
    checkWritable(isReadOnly);
    checkDevice(int(tensor->device.device_type), tensor->device.device_id);
    view.address = static_cast<char *>(tensor->data) + tensor->byte_offset;
    return view;
  }

  const Wanted &wanted;
};

View View::of(nb::handle object, const Wanted &wanted) {
  return Importer(wanted).import(object);
}

} // namespace muon::python
