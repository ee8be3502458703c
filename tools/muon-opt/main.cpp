#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "muon-mlir/Dialect/Muon/IR/MuonDialect.h"
int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  mlir::registerAllPasses();
  registry.insert<mlir::muon::MuonDialect>();
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "muon", registry));
}
