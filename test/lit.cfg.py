# Configuration of the lit tests: which files are tests and how tools are found.
import os
import shutil

import lit.formats

config.name = "muon-mlir"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["Inputs", "unit", "integration", "reference", "fuzz"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.muon_obj_root, "test")

config.environment["PATH"] = os.pathsep.join(
    [
        os.path.join(config.muon_obj_root, "bin"),
        config.llvm_tools_dir,
        config.environment.get("PATH", os.environ.get("PATH", "")),
    ]
)
# A label that matches across functions, or a prefix that nothing uses, is a
# mistake in a test.
config.environment["FILECHECK_OPTS"] = (
    "-enable-var-scope --allow-unused-prefixes=false --dump-input=fail"
)
if config.muon_sanitize:
    # LLVM keeps its command-line options and pass registry until exit. Its
    # allocators poison memory in our code, but not in the shared libraries that
    # use the same allocators.
    config.environment["ASAN_OPTIONS"] = "detect_leaks=0:allow_user_poisoning=0"
    config.available_features.add("asan")

ptxas = shutil.which("ptxas") or shutil.which(
    "ptxas",
    path=os.pathsep.join(
        os.path.join(folder, "bin")
        for folder in ("/usr/local/cuda", os.environ.get("CUDA_HOME"))
        if folder
    ),
)
if ptxas:
    config.available_features.add("ptxas")
    # Tests find it there.
    config.environment["PATH"] += os.pathsep + os.path.dirname(ptxas)

config.substitutions.append(("%src_root", config.muon_src_root))
config.substitutions.append(("%obj_root", config.muon_obj_root))
config.substitutions.append(("%python", "/usr/bin/python3"))
