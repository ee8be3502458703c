#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "muon-mlir/Conversion/Passes.h"
#include "muon-mlir/Dialect/Muon/IR/MuonDialect.h"
#include "muon-mlir/Dialect/Muon/Transforms/BufferizableOpInterfaceImpl.h"
#include "muon-mlir/Dialect/Muon/Transforms/Passes.h"
#include "muon-mlir/Pipelines/Pipelines.h"
int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  mlir::registerAllPasses();
  registry.insert<mlir::muon::MuonDialect>();
  mlir::muon::registerBufferizableOpInterfaceExternalModels(registry);
  mlir::muon::registerMuonTransformsPasses();
  mlir::muon::registerMuonConversionPasses();
  mlir::muon::registerPipelines();
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "muon", registry));
}
