# Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""An exporter of DLPack tensors that says whatever a test wants it to say."""
import ctypes
from ctypes import c_int32, c_int64, c_uint8, c_uint16, c_uint32, c_uint64, \
    c_void_p

import numpy as np

CPU, CUDA, CUDA_HOST, ROCM = 1, 2, 3, 10
INT, UINT, FLOAT, BFLOAT = 0, 1, 2, 4


class _DLTensor(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("device_type", c_int32),
                ("device_id", c_int32), ("ndim", c_int32), ("code", c_uint8),
                ("bits", c_uint8), ("lanes", c_uint16),
                ("shape", ctypes.POINTER(c_int64)),
                ("strides", ctypes.POINTER(c_int64)), ("offset", c_uint64)]


_Deleter = ctypes.CFUNCTYPE(None, c_void_p)


class _Managed(ctypes.Structure):
    _fields_ = [("tensor", _DLTensor), ("context", c_void_p),
                ("deleter", _Deleter)]


class _Versioned(ctypes.Structure):
    _fields_ = [("major", c_uint32), ("minor", c_uint32),
                ("context", c_void_p), ("deleter", _Deleter),
                ("flags", c_uint64), ("tensor", _DLTensor)]


_new_capsule = ctypes.pythonapi.PyCapsule_New
_new_capsule.restype = ctypes.py_object
_new_capsule.argtypes = [c_void_p, ctypes.c_char_p, c_void_p]


class Exporter:
    """Exports `array`. `version` None: as before DLPack 1."""

    def __init__(self, array, *, version=(1, 0), device=(CPU, 0), flags=0,
                 code=FLOAT, bits=None, lanes=1, strides="array", offset=0):
        self.array = array
        self.version, self.device, self.flags = version, device, flags
        self.dtype = (code, bits or array.dtype.itemsize * 8, lanes)
        self.strides = strides
        self.offset = offset
        self.exports = self.deleted = 0
        self.asked = []
        self._alive = []

    def __dlpack_device__(self):
        return self.device

    def __dlpack__(self, **asked):
        self.asked.append(asked)
        if self.version is None and "max_version" in asked:
            raise TypeError("unexpected keyword argument 'max_version'")
        array, rank = self.array, self.array.ndim
        shape = (c_int64 * max(rank, 1))(*array.shape)
        strides = None
        if self.strides == "array":
            strides = (c_int64 * max(rank, 1))(
                *(s // array.itemsize for s in array.strides))
        data = array.__array_interface__["data"][0] - self.offset
        tensor = _DLTensor(data, *self.device, rank, *self.dtype, shape,
                           strides, self.offset)

        def deleted(_):
            self.deleted += 1
        deleter = _Deleter(deleted)
        if self.version is None:
            managed, name = _Managed(tensor, None, deleter), b"dltensor"
        else:
            managed = _Versioned(*self.version, None, deleter, self.flags,
                                 tensor)
            name = b"dltensor_versioned"
        self._alive.append((managed, shape, strides, deleter, name))
        self.exports += 1
        return _new_capsule(ctypes.addressof(managed), name, None)


def read_only(array):
    copy = np.array(array)
    copy.flags.writeable = False
    return copy
