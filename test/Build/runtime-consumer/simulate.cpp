// Runs a kernel on the CPU.

#include <muon-mlir/PTXSim/PTXSim.h>

#include <cstdio>

int main() {
  const char *text = R"(.version 7.0
.target sm_80
.address_size 64
.visible .entry fill(.param .u64 out) {
  .reg .b32 %r;
  .reg .b64 %rd<3>;
  ld.param.u64 %rd0, [out];
  mov.u32 %r, %tid.x;
  mul.wide.u32 %rd1, %r, 4;
  add.u64 %rd2, %rd0, %rd1;
  st.global.u32 [%rd2], %r;
  ret;
})";
  using namespace muon::ptxsim;
  std::vector<ParseError> errors;
  auto module = Module::parse(text, "fill.ptx", errors);
  for (const ParseError &error : errors)
    std::fprintf(stderr, "line %u: %s\n", error.line, error.message.c_str());
  if (!module)
    return 1;
  Device device;
  uint64_t out = device.allocate(32 * 4, "out");
  LaunchOptions options;
  options.block = {32};
  Parameters parameters;
  parameters.add(out);
  LaunchResult result = device.launch(module, "fill", parameters, options);
  for (const Finding &finding : result.findings)
    std::fputs(finding.text().c_str(), stderr);
  uint32_t last = 0;
  device.read(out + 31 * 4, &last, 4);
  std::printf("last: %u\n", last);
  return result ? 0 : 1;
}
