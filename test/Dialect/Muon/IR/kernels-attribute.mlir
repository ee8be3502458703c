// What a module says about its kernels is text and numbers.

// RUN: muon-opt %s -split-input-file -verify-diagnostics | FileCheck %s

// CHECK: muon.kernels = [{name = "look_0", phase = "look", threads = 256 : i64}]
module attributes {muon.kernels = [{name = "look_0", phase = "look", threads = 256 : i64}]} {}

// -----

// expected-error@+1 {{'muon.kernels' expected a list of kernels, each with a name and a phase, and numbers of 64 bits}}
module attributes {muon.kernels = 1 : i64} {}

// -----

// expected-error@+1 {{'muon.kernels' expected a list of kernels}}
module attributes {muon.kernels = [{name = "look_0"}]} {}

// -----

// expected-error@+1 {{'muon.kernels' expected a list of kernels}}
module attributes {muon.kernels = [{name = "a", phase = "b", threads = 256 : i32}]} {}

// -----

// expected-error@+1 {{'muon.kernels' expected a list of kernels}}
module attributes {muon.kernels = ["look_0"]} {}
