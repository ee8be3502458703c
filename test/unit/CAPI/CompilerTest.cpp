//===- CompilerTest.cpp - The C interface of the compiler -----------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What C can say is in CompilerCases.c. Here are the process and its threads,
// which a library has to leave alone.
//
//===----------------------------------------------------------------------===//

#include "muon-mlir-c/Compiler.h"
#include "CompilerCases.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <stdlib.h>
#include <string>
#include <sys/stat.h>
#include <thread>
#include <vector>

using nlohmann::json;

// LLVM poisons memory of allocators that its library, which is built without
// AddressSanitizer, does not unpoison.
extern "C" const char *__asan_default_options();
extern "C" const char *__asan_default_options() {
  return "allow_user_poisoning=0";
}

namespace {

class CompilerTest : public testing::Test {
protected:
  void SetUp() override {
    directory = testing::TempDir() + "muon-XXXXXX";
    ASSERT_TRUE(mkdtemp(directory.data()));
  }
  void TearDown() override {
    for (const auto &entry : std::filesystem::directory_iterator(directory))
      EXPECT_EQ(entry.path().string().find(".tmp-"), std::string::npos)
          << "left behind: " << entry.path();
    std::filesystem::remove_all(directory);
  }

  json readJson(const std::string &name) {
    return json::parse(std::ifstream(directory + "/" + name));
  }

  std::string directory;
};

struct ModuleInContext {
  explicit ModuleInContext(const char *text) {
    EXPECT_EQ(muonContextCreate(&context), MUON_COMPILER_OK);
    EXPECT_EQ(
        muonModuleParse(context, text, std::strlen(text), "x.mlir", &module),
        MUON_COMPILER_OK)
        << muonContextErrors(context);
  }
  ~ModuleInContext() {
    muonModuleDestroy(module);
    muonContextDestroy(context);
  }

  MuonContext *context = nullptr;
  MuonModule *module = nullptr;
};

/// The smallest step.
constexpr char kCounter[] =
    "func.func @step(%t: tensor<i64> {muon.role = #muon.role<step>}) -> "
    "tensor<i64> {\n"
    "  %0 = muon.advance step(%t : tensor<i64>)\n"
    "  return %0 : tensor<i64>\n"
    "}\n";

} // namespace

#define MUON_CASE(name)                                                        \
  TEST_F(CompilerTest, name) { EXPECT_TRUE(case##name(directory.c_str())); }
MUON_CASE(Version)
MUON_CASE(StepByHand)
MUON_CASE(Safetensors)
MUON_CASE(TensorErrors)
MUON_CASE(RulesErrors)
MUON_CASE(RoundTrip)
MUON_CASE(ParseErrors)
MUON_CASE(Notes)
MUON_CASE(Passes)
MUON_CASE(FailedPass)
MUON_CASE(Clone)
MUON_CASE(CompileErrors)
MUON_CASE(Ranks)
MUON_CASE(Paths)
MUON_CASE(Unchanged)
MUON_CASE(Null)
#undef MUON_CASE

TEST_F(CompilerTest, Reports) {
  ASSERT_TRUE(caseReports(directory.c_str()));
  json cpu = readJson("cpu.json"), gpu = readJson("gpu.json");
  for (const json &report : {cpu, gpu}) {
    std::set<std::string> optimizers;
    for (const json &update : report.at("groups"))
      optimizers.insert(update.at("optimizer").get<std::string>());
    EXPECT_EQ(optimizers, (std::set<std::string>{"adamw", "muon"}));
  }
  EXPECT_FALSE(cpu.contains("device"));
  EXPECT_EQ(gpu.at("device").at("arch"), "sm_80");
  EXPECT_EQ(gpu.at("device").at("chip").at("name"), "A100");
}

TEST_F(CompilerTest, ContextsOfThreads) {
  constexpr int threads = 3;
  std::vector<std::string> directories;
  for (int i = 0; i < threads; ++i) {
    directories.push_back(directory + "/" + std::to_string(i));
    std::filesystem::create_directory(directories.back());
  }
  int passed[threads] = {};
  std::vector<std::thread> workers;
  for (int i = 0; i < threads; ++i)
    workers.emplace_back([&, i] {
      const char *folder = directories[i].c_str();
      passed[i] = caseStepByHand(folder) && caseParseErrors(folder) &&
                  caseFailedPass(folder) && caseStepByHand(folder);
    });
  for (std::thread &worker : workers)
    worker.join();
  for (int i = 0; i < threads; ++i)
    EXPECT_TRUE(passed[i]) << i;
}

// A handler may depend on who calls it, as one that takes a lock of the
// program's does.
TEST_F(CompilerTest, HandlerRunsInThreadOfCall) {
  ModuleInContext step(kCounter);
  std::vector<std::thread::id> callers;
  muonContextSetHandler(
      step.context,
      [](void *user, const MuonDiagnostic *) {
        static_cast<std::vector<std::thread::id> *>(user)->push_back(
            std::this_thread::get_id());
      },
      &callers);
  EXPECT_EQ(muonModuleRunPasses(step.module, "nothing"),
            MUON_COMPILER_INVALID_ARGUMENT);
  MuonModule *none = nullptr;
  EXPECT_EQ(muonModuleParse(step.context, "x", 1, nullptr, &none),
            MUON_COMPILER_INVALID_INPUT);
  EXPECT_EQ(callers,
            std::vector<std::thread::id>(2, std::this_thread::get_id()));
}

TEST_F(CompilerTest, LeavesProcessAlone) {
  ModuleInContext step(kCounter);
  auto getHandlers = [] {
    std::vector<std::string> handlers;
    for (int signal = 1; signal < SIGRTMIN; ++signal) {
      struct sigaction action = {};
      sigaction(signal, nullptr, &action);
      handlers.push_back(
          std::to_string(signal) + ": " +
          std::to_string(reinterpret_cast<uintptr_t>(action.sa_handler)) + " " +
          std::to_string(action.sa_flags));
    }
    return handlers;
  };
  std::vector<std::string> before = getHandlers();
  mode_t mask = umask(027);
  std::string path = directory + "/step.so";
  EXPECT_EQ(muonModuleCompile(step.module, nullptr, path.c_str(), nullptr),
            MUON_COMPILER_OK)
      << muonContextErrors(step.context);
  EXPECT_EQ(umask(mask), 027u);
  EXPECT_EQ(getHandlers(), before);
  struct stat status;
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0027u, 0u);
}

TEST_F(CompilerTest, PrintsNothing) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  ModuleInContext step("func.func @stop() { return }");
  std::string path = directory + "/step.so";
  MuonCompileOptions options = MUON_COMPILE_OPTIONS_INIT;
  EXPECT_EQ(muonModuleCompile(step.module, &options, path.c_str(), nullptr),
            MUON_COMPILER_FAILED);
  options.cpu = "z80";
  EXPECT_EQ(muonModuleCompile(step.module, &options, path.c_str(), nullptr),
            MUON_COMPILER_INVALID_ARGUMENT);
  EXPECT_EQ(muonModuleRunPasses(step.module, "builtin.module(nothing)"),
            MUON_COMPILER_INVALID_ARGUMENT);
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

// A link stays one, and what it leads to is replaced.
TEST_F(CompilerTest, FollowsLinks) {
  ModuleInContext step(kCounter);
  std::filesystem::create_directory(directory + "/real");
  std::ofstream(directory + "/real/step.so") << "old";
  std::filesystem::create_symlink("real/step.so", directory + "/step.so");
  EXPECT_EQ(muonModuleCompile(step.module, nullptr,
                              (directory + "/step.so").c_str(), nullptr),
            MUON_COMPILER_OK);
  EXPECT_TRUE(std::filesystem::is_symlink(directory + "/step.so"));
  EXPECT_GT(std::filesystem::file_size(directory + "/real/step.so"), 3u);
  EXPECT_EQ(std::distance(
                std::filesystem::directory_iterator(directory + "/real"), {}),
            1);
}
