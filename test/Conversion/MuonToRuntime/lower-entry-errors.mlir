// RUN: muon-opt --muon-lower-entry --split-input-file --verify-diagnostics %s

// expected-error @+1 {{expected a function 'step' with a body}}
module {
  func.func @stop() { return }
}

// -----

// expected-error @+1 {{expected a function 'step' with a body}}
module {
  func.func private @step()
}

// -----

// expected-error @+1 {{'func.func' op expected memrefs and tables as arguments; bufferize first}}
func.func @step(%t: tensor<i64> {muon.role = #muon.role<step>}) { return }

// -----

// expected-error @+1 {{'func.func' op argument #1 expected 'muon.role', so that the runtime knows what to bind}}
func.func @step(%t: memref<i64> {muon.role = #muon.role<step>}, %u: memref<f32>) { return }

// -----

// expected-error @+1 {{'func.func' op argument #1 is the second one for step}}
func.func @step(%t: memref<i64> {muon.role = #muon.role<step>}, %u: memref<i64> {muon.role = #muon.role<step>}) { return }

// -----

// expected-error @+1 {{'func.func' op argument #2 is the second one for lr of group 'a'}}
func.func @step(
    %a: memref<f32> {muon.role = #muon.role<lr>, muon.group = "a"},
    %b: memref<f32> {muon.role = #muon.role<lr>, muon.group = "b"},
    %c: memref<f32> {muon.role = #muon.role<lr>, muon.group = "a"}) { return }

// -----

// expected-error @+1 {{'func.func' op argument #1 is the second one for weight 'b'}}
func.func @step(
    %a: !muon.table<2x4xf32> {muon.role = #muon.role<weight>, muon.names = ["a", "b"]},
    %b: memref<4xf32> {muon.role = #muon.role<weight>, muon.names = ["b"]}) { return }

// -----

// expected-error @+1 {{'func.func' op argument #1 is the second one for weight 'qkv' row 4}}
func.func @step(
    %a: memref<4x2xf32> {muon.role = #muon.role<weight>, muon.names = [#muon.rows<"qkv", 4 to 8 of 8>]},
    %b: memref<4x2xf32> {muon.role = #muon.role<weight>, muon.names = [#muon.rows<"qkv", 4 to 8 of 8>]}) { return }
