// RUN: muon-opt --convert-muon-gpu-to-nvvm --canonicalize --cse %s | FileCheck %s

// Arguments are behind pointers in the slots, in order; buffers of the step are
// in the arena. What one operation writes the next may read: a barrier lies
// between them. All threads read the flag before the work, which may change it.

// CHECK-LABEL: func.func @step(
// CHECK: muon.host_call "launch"(%c0_i32, %c1_i64, %c0_i64, %c0_i32, %c0_i32)
func.func @step(%gs: memref<3xf64>, %ms: memref<3xf64>, %b: memref<f32>, %t: memref<i64>, %ok: memref<i1>) {
  %arena = muon.arena : memref<1024xi8>
  %c0 = arith.constant 0 : index
  %c256 = arith.constant 256 : index
  %c512 = arith.constant 512 : index
  %c768 = arith.constant 768 : index
  %u = memref.view %arena[%c0][] : memref<1024xi8> to memref<3xf64>
  %f = memref.view %arena[%c256][] : memref<1024xi8> to memref<3xf32>
  %k1 = memref.view %arena[%c512][] : memref<1024xi8> to memref<f32>
  %k2 = memref.view %arena[%c768][] : memref<1024xi8> to memref<f32>
  muon_gpu.launch when(%ok : memref<i1>) {
    muon.advance step(%t : memref<i64>)
    muon_gpu.unit gradient_sums(%gs : memref<3xf64>) momentum_sums(%ms : memref<3xf64>) beta(%b : memref<f32>) unit(%u : memref<3xf64>) {momentum_form = #muon.momentum_form<ema>, nesterov = true}
    muon.normalize sums(%gs : memref<3xf64>) unit(%u : memref<3xf64>) factor(%f : memref<3xf32>) {safety = 1.02 : f64, eps = 1.0e-7 : f64}
    muon_gpu.bias_correction step(%t : memref<i64>) corrections(%k1, %k2 : memref<f32>, memref<f32>) {beta1 = 0.9 : f64, beta2 = 0.95 : f64}
  } {phase = "step"}
  return
}

// CHECK-LABEL: gpu.func @step_0(
// CHECK-SAME: %[[SLOTS:[^:]+]]: !llvm.ptr<1>, %[[ARENA:[^:]+]]: !llvm.ptr<1>, %{{[^:]+}}: i64, %{{[^:]+}}: i32, %{{[^:]+}}: i32) kernel attributes {known_block_size = array<i32: 256, 1, 1>, nvvm.minctasm = 1 : i32}
// CHECK-DAG: %[[ONE:.+]] = arith.constant 1.000000e+00 : f64
// CHECK-DAG: %[[B1:.+]] = arith.constant 9.000000e-01 : f64
// CHECK-DAG: %[[B2:.+]] = arith.constant 0.9499{{[0-9]+}} : f64
// CHECK-DAG: %[[C3:.+]] = arith.constant 3 : i64
// CHECK-DAG: %[[C256:.+]] = arith.constant 256 : i64
// CHECK-DAG: %[[BYTE0:.+]] = arith.constant 0 : i8
// CHECK: %[[TID:.+]] = nvvm.read.ptx.sreg.tid.x
// CHECK: %[[THREAD:.+]] = arith.extui %[[TID]] : i32 to i64
// CHECK: %[[FIRST:.+]] = arith.cmpi eq, %[[THREAD]], %{{.+}} : i64
// CHECK: %[[SLOT4:.+]] = llvm.getelementptr %[[SLOTS]][32]
// CHECK: %[[OK:.+]] = llvm.load %[[SLOT4]] {{.*}} -> !llvm.ptr<1>
// CHECK: %[[BYTE:.+]] = llvm.load %[[OK]] : !llvm.ptr<1> -> i8
// CHECK: %[[SET:.+]] = arith.cmpi ne, %[[BYTE]], %[[BYTE0]] : i8
// CHECK-NEXT: nvvm.barrier0
// CHECK-NEXT: scf.if %[[SET]] {
// CHECK: %[[SLOT3:.+]] = llvm.getelementptr %[[SLOTS]][24]
// CHECK: %[[T:.+]] = llvm.load %[[SLOT3]] {{.*}} -> !llvm.ptr<1>
// CHECK-NEXT: scf.if %[[FIRST]] {
// CHECK: %[[OLD:.+]] = llvm.load %[[T]] : !llvm.ptr<1> -> i64
// CHECK: %[[NEW:.+]] = arith.addi %[[OLD]], %{{.+}} : i64
// CHECK: llvm.store %[[NEW]], %[[T]] : i64
// CHECK: nvvm.barrier0
// CHECK: %[[GS:.+]] = llvm.load %[[SLOTS]] {{.*}} -> !llvm.ptr<1>
// CHECK: scf.for %[[I:.+]] = %[[THREAD]] to %[[C3]] step %[[C256]]
// CHECK: %[[OFFSET:.+]] = arith.muli %[[I]], %{{.+}} : i64
// CHECK: %[[SUM:.+]] = llvm.getelementptr %[[GS]][%[[OFFSET]]]
// CHECK: llvm.load %[[SUM]] : !llvm.ptr<1> -> f64
// CHECK: %[[UNIT:.+]] = llvm.getelementptr %[[ARENA]][%[[OFFSET]]]
// CHECK: llvm.store %{{.+}}, %[[UNIT]] : f64
// CHECK: nvvm.barrier0
// CHECK: %[[FACTOR:.+]] = llvm.getelementptr %[[ARENA]][256]
// CHECK: scf.for %[[J:.+]] = %[[THREAD]] to %[[C3]] step %[[C256]]
// CHECK: llvm.getelementptr %[[ARENA]][
// CHECK: %[[OFFSET4:.+]] = arith.muli %[[J]], %{{.+}} : i64
// CHECK: %[[PLACE:.+]] = llvm.getelementptr %[[FACTOR]][%[[OFFSET4]]]
// CHECK: llvm.store %{{.+}}, %[[PLACE]] : f32
// CHECK: nvvm.barrier0
// CHECK: %[[T2:.+]] = llvm.load %[[SLOT3]] {{.*}} -> !llvm.ptr<1>
// CHECK: %[[K1:.+]] = llvm.getelementptr %[[ARENA]][512]
// CHECK: %[[K2:.+]] = llvm.getelementptr %[[ARENA]][768]
// CHECK-NEXT: scf.if %[[FIRST]] {
// CHECK: %[[STEP:.+]] = llvm.load %[[T2]] : !llvm.ptr<1> -> i64
// CHECK: %[[POWERS:.+]]:5 = scf.while (%{{.+}} = %[[STEP]], %{{.+}} = %[[B1]], %{{.+}} = %[[ONE]], %{{.+}} = %[[B2]], %{{.+}} = %[[ONE]])
// CHECK: %[[REST1:.+]] = arith.subf %[[ONE]], %[[POWERS]]#2 : f64
// CHECK: %[[Q1:.+]] = arith.divf %[[ONE]], %[[REST1]] : f64
// CHECK: %[[R1:.+]] = arith.truncf %[[Q1]] : f64 to f32
// CHECK: llvm.store %[[R1]], %[[K1]] : f32
// CHECK: %[[REST2:.+]] = arith.subf %[[ONE]], %[[POWERS]]#4 : f64
// CHECK: llvm.store %{{.+}}, %[[K2]] : f32
// CHECK-NOT: nvvm.barrier0
// CHECK: gpu.return

// Few partials are added by one thread, more by a warp, many by the block:
// whatever the number of sums, so that the order is that of the partials alone.
// Few partials of many sums come through shared memory.

func.func @reduce(%a: memref<16xf64>, %b: memref<144xf64>, %c: memref<2050xf64>, %s: memref<2xf64>) {
  muon_gpu.launch {
    muon_gpu.reduce partials(%a : memref<16xf64>) sums(%s : memref<2xf64>)
  } {phase = "thread"}
  muon_gpu.launch {
    muon_gpu.reduce partials(%b : memref<144xf64>) sums(%s : memref<2xf64>) {scale = 0.25 : f64}
  } {phase = "warp"}
  muon_gpu.launch {
    muon_gpu.reduce partials(%c : memref<2050xf64>) sums(%s : memref<2xf64>)
  } {phase = "block"}
  return
}

func.func @reduce_many(%a: memref<1500xf64>, %s: memref<500xf64>) {
  muon_gpu.launch {
    muon_gpu.reduce partials(%a : memref<1500xf64>) sums(%s : memref<500xf64>)
  } {phase = "many"}
  return
}

// CHECK-LABEL: gpu.func @thread_1(
// CHECK-NOT: nvvm.shfl
// CHECK-LABEL: gpu.func @warp_2(
// CHECK-DAG: %[[C2:.+]] = arith.constant 2 : i64
// CHECK-DAG: %[[C8:.+]] = arith.constant 8 : i64
// CHECK-DAG: %[[C32:.+]] = arith.constant 32 : i64
// CHECK-DAG: %[[C72:.+]] = arith.constant 72 : i64
// CHECK-DAG: %[[C576:.+]] = arith.constant 576 : i64
// CHECK-DAG: %[[QUARTER:.+]] = arith.constant 2.500000e-01 : f64
// CHECK: %[[WARP:.+]] = arith.divui %[[THREAD:.+]], %[[C32]] : i64
// CHECK: %[[LANE:.+]] = arith.remui %[[THREAD]], %[[C32]] : i64
// CHECK: scf.for %[[I:.+]] = %[[WARP]] to %[[C2]] step %[[C8]]
// CHECK: arith.muli %[[I]], %[[C576]] : i64
// CHECK: scf.for %{{.+}} = %[[LANE]] to %{{.+}} step %[[C32]]
// CHECK: scf.for %{{.+}} to %[[C72]] step %[[C32]]
// CHECK-COUNT-10: nvvm.shfl.sync bfly
// CHECK-NOT: nvvm.shfl
// CHECK: arith.mulf %{{.+}}, %[[QUARTER]] : f64
// CHECK-NOT: nvvm.barrier0
// CHECK-LABEL: gpu.func @block_3(
// CHECK: scf.for %{{.+}} iter_args(%{{[^,]+}}, %{{[^,]+}}, %{{[^,]+}}, %{{[^,]+}}) -> (f64, f64, f64, f64)
// CHECK: nvvm.barrier0
// CHECK: llvm.store %{{.+}} : f64, !llvm.ptr<1>
// CHECK: nvvm.barrier0
// CHECK: gpu.return

// 341 of the sums have their 3 partials in the 1024 numbers that are there.

// CHECK-LABEL: gpu.func @many_4(
// CHECK-DAG: %[[C3:.+]] = arith.constant 3 : i64
// CHECK-DAG: %[[C500:.+]] = arith.constant 500 : i64
// CHECK-DAG: %[[C341:.+]] = arith.constant 341 : i64
// CHECK: scf.for %[[BEGIN:.+]] = %{{.+}} to %[[C500]] step %[[C341]]
// CHECK: %[[LEFT:.+]] = arith.subi %[[C500]], %[[BEGIN]] : i64
// CHECK: %[[SIZE:.+]] = arith.minsi %[[LEFT]], %[[C341]] : i64
// CHECK: %[[NUMBERS:.+]] = arith.muli %[[SIZE]], %[[C3]] : i64
// CHECK: scf.for %{{.+}} to %[[NUMBERS]]
// CHECK: llvm.store %{{.+}} : f64, !llvm.ptr<3>
// CHECK: nvvm.barrier0
// CHECK: scf.for %{{.+}} to %[[SIZE]]
// CHECK: llvm.load %{{.+}} : !llvm.ptr<3> -> f64
// CHECK: llvm.store %{{.+}} : f64, !llvm.ptr<1>
// CHECK: nvvm.barrier0
// CHECK: gpu.return

// muon.look brings lists into shared memory 1024 numbers at a time, and one
// thread adds them in order: the 1000 of the first list and 24 of the second,
// then the other 6 of it and the momentum.

func.func @look(%g: memref<1000xf64>, %h: memref<30xf64>, %m: memref<2xf64>, %l: memref<f32>, %ok: memref<i1>, %clip: memref<f32>) {
  muon_gpu.launch {
    muon.look gradients(%g, %h : memref<1000xf64>, memref<30xf64>) momenta(%m : memref<2xf64>) limit(%l : memref<f32>) ok(%ok : memref<i1>) clip(%clip : memref<f32>)
  } {phase = "look"}
  return
}

// CHECK-LABEL: gpu.func @look_5(
// CHECK-SAME: %[[SLOTS:[^:]+]]: !llvm.ptr<1>,
// CHECK-DAG: %[[C6:.+]] = arith.constant 6 : i64
// CHECK-DAG: %[[C8:.+]] = arith.constant 8 : i64
// CHECK-DAG: %[[C1000:.+]] = arith.constant 1000 : i64
// CHECK-DAG: %[[C1024:.+]] = arith.constant 1024 : i64
// CHECK-DAG: %[[ZERO:.+]] = arith.constant 0.000000e+00 : f64
// CHECK-DAG: %[[SHARED:.+]] = llvm.mlir.addressof @look_5_numbers : !llvm.ptr<3>
// CHECK: %[[G:.+]] = llvm.load %[[SLOTS]] {{.*}} -> !llvm.ptr<1>
// CHECK: %[[SLOT1:.+]] = llvm.getelementptr %[[SLOTS]][8]
// CHECK: %[[H:.+]] = llvm.load %[[SLOT1]] {{.*}} -> !llvm.ptr<1>
// CHECK: %[[H1:.+]] = llvm.getelementptr %[[H]][-8000]
// CHECK: scf.for %[[I:.+]] = %{{.+}} to %[[C1024]] step %{{.+}} : i64
// CHECK: %[[IN_G:.+]] = arith.cmpi slt, %[[I]], %[[C1000]] : i64
// CHECK: %[[BASE:.+]] = arith.select %[[IN_G]], %[[G]], %[[H1]]
// CHECK: %[[OFFSET:.+]] = arith.muli %[[I]], %[[C8]] : i64
// CHECK: %[[FROM:.+]] = llvm.getelementptr %[[BASE]][%[[OFFSET]]]
// CHECK: %[[NUMBER:.+]] = llvm.load %[[FROM]] : !llvm.ptr<1> -> f64
// CHECK: %[[TO:.+]] = llvm.getelementptr %[[SHARED]][%[[OFFSET]]]
// CHECK: llvm.store %[[NUMBER]], %[[TO]] : f64, !llvm.ptr<3>
// CHECK: nvvm.barrier0
// CHECK: scf.if
// CHECK: scf.for %{{.+}} iter_args(%{{.+}} = %[[ZERO]]) -> (f64)
// CHECK-COUNT-8: arith.addf
// CHECK-NOT: arith.addf
// CHECK: nvvm.barrier0
// CHECK: %[[AGAIN:.+]] = llvm.load %[[SLOT1]] {{.*}} -> !llvm.ptr<1>
// CHECK: %[[H2:.+]] = llvm.getelementptr %[[AGAIN]][192]
// CHECK: %[[SLOT2:.+]] = llvm.getelementptr %[[SLOTS]][16]
// CHECK: %[[M:.+]] = llvm.load %[[SLOT2]] {{.*}} -> !llvm.ptr<1>
// CHECK: %[[M2:.+]] = llvm.getelementptr %[[M]][-48]
// CHECK: scf.for %[[J:.+]] = %{{.+}} to %[[C8]] step
// CHECK: %[[IN_H:.+]] = arith.cmpi slt, %[[J]], %[[C6]] : i64
// CHECK: arith.select %[[IN_H]], %[[H2]], %[[M2]]
// CHECK: nvvm.barrier0
// CHECK: scf.if
// CHECK-COUNT-8: arith.addf
// CHECK-NOT: nvvm.barrier0
// CHECK: llvm.store %{{.+}} : i8, !llvm.ptr<1>
// CHECK: llvm.store %{{.+}} : f32, !llvm.ptr<1>
// CHECK: gpu.return

// A slice at the offset of a loop.

func.func @loop(%p: memref<64xf64>, %s: memref<8xf64>) {
  %c0 = arith.constant 0 : index
  %c4 = arith.constant 4 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %c4 step %c1 {
    %part = muon.slice %p[%i] : memref<64xf64> to memref<16xf64>
    %c2 = arith.constant 2 : index
    %sum = muon.slice %s[%c2] : memref<8xf64> to memref<2xf64>
    muon_gpu.launch {
      muon_gpu.reduce partials(%part : memref<16xf64>) sums(%sum : memref<2xf64>)
    } {phase = "loop"}
  }
  return
}

// CHECK-LABEL: gpu.func @loop_6(
// CHECK-SAME: %[[SLOTS:[^:]+]]: !llvm.ptr<1>, %{{[^:]+}}: !llvm.ptr<1>, %[[OFFSET:[^:]+]]: i64,
// CHECK: %[[P:.+]] = llvm.load %{{.+}} -> !llvm.ptr<1>
// CHECK: %[[BYTES:.+]] = arith.muli %{{.+}}, %{{.+}} : i64
// CHECK: llvm.getelementptr %[[P]][%[[BYTES]]]
// CHECK: %[[SLOT1:.+]] = llvm.getelementptr %[[SLOTS]][8]
// CHECK: %[[S:.+]] = llvm.load %[[SLOT1]] {{.*}} -> !llvm.ptr<1>
// CHECK: llvm.getelementptr %[[S]][16]
