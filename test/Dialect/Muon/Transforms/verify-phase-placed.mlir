// RUN: muon-opt --muon-verify-phase=phase=step --split-input-file --verify-diagnostics %s

// A step of whole tensors on a grid is not one that a rank can take.

// expected-error @below {{'func.func' op has arguments that are spread over ranks, and should have become the step of one rank in phase 'step'}}
func.func @sharded(%w: tensor<4xf32> {muon.role = #muon.role<weight>, muon.names = ["w"], muon.sharding = #muon.sharding<[[0]]>}) { return }

// -----

// expected-error @below {{'func.func' op has arguments that are spread over ranks, and should have become the step of one rank in phase 'step'}}
func.func @unreduced(%g: tensor<4xf32> {muon.role = #muon.role<gradient>, muon.names = ["w"], muon.unreduced = #muon.unreduced<[0], sum>}) { return }

// -----

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2)
func.func @step(%g: tensor<4xf32> {muon.role = #muon.role<gradient>, muon.names = ["w"], muon.unreduced = #muon.unreduced<[0], sum>}) { return }
}
