//===- NcclMemory.cpp - Memory that is registered with NCCL ---------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// "User Buffer Registration" in NCCL's user guide: NCCL may then move data
// without a copy of its own. If one rank uses such memory in a call, all have
// to.
//
//===----------------------------------------------------------------------===//

#include "CommunicatorNccl.h"
#include "Device.h"

using namespace muon;
using namespace muon::nccl;

class Nccl::Registered final : public Registration {
public:
  Registered(Nccl &nccl, Device &device) : nccl(nccl), device(device) {}
  ~Registered() override {
    Use use(nccl);
    // An abort has freed the communicators, and what they know.
    if (nccl.failure)
      return;
    for (const auto &entry : handles)
      (void)bool(deregister(entry.first, entry.second));
  }

  Error deregister(Comm comm, void *handle) {
    return device.inContext([&] {
      return nccl.library->check(nccl.library->commDeregister(comm, handle),
                                 symbolOf(&Library::commDeregister), comm);
    });
  }

  std::map<Comm, void *> handles;

private:
  Nccl &nccl;
  Device &device;
};

Error Nccl::registerMemory(Device &on, void *memory, uint64_t bytes,
                           const std::vector<Group> &groups,
                           std::unique_ptr<Registration> &registration,
                           size_t &numGroups, std::string &whyNot) {
  Use use(*this);
  if (Error error = isStopped())
    return fail(error);
  auto made = std::make_unique<Registered>(*this, on);
  // For each group '-' where this rank is not in it, else '1' or '0'; then why.
  std::string mine, why;
  std::vector<Comm> comms(groups.size(), nullptr);
  for (size_t i = 0; i < groups.size(); ++i) {
    const Group &group = groups[i];
    if (std::find(group.begin(), group.end(), rank()) == group.end()) {
      mine += '-';
      continue;
    }
    Error error = Error::success();
    void *handle = nullptr;
    if (!library->commRegister || !library->commDeregister)
      error = Error(MUON_ERROR_UNSUPPORTED,
                    "NCCL " + versionText(library->version) +
                        " cannot, which came with 2.19");
    else if (!(error = findComm(group, comms[i])))
      error = on.inContext([&] {
        return MUON_NCCL_CALL(comms[i], commRegister, comms[i], memory,
                              size_t(bytes), &handle);
      });
    if (!error && !handle)
      error = Error(MUON_ERROR_UNSUPPORTED,
                    "NCCL leaves it out (NCCL_LOCAL_REGISTER)");
    if (handle)
      made->handles[comms[i]] = handle;
    if (error && why.empty())
      why = error.message();
    mine += error ? '0' : '1';
  }
  std::vector<std::string> all;
  if (Error error = exchange(mine + why, all))
    return fail(error);

  numGroups = 0;
  for (size_t i = 0; i < groups.size(); ++i) {
    const bool isDone =
        std::all_of(all.begin(), all.end(), [&](const std::string &other) {
          return i < other.size() && other[i] != '0';
        });
    numGroups += isDone;
    auto found = made->handles.find(comms[i]);
    if (isDone || found == made->handles.end())
      continue;
    if (Error error = made->deregister(found->first, found->second))
      return fail(
          Error(error.status(), "memory of the step: " + error.message()));
    made->handles.erase(found);
  }
  for (size_t i = 0; i < all.size() && whyNot.empty(); ++i)
    if (all[i].size() > groups.size())
      whyNot =
          "rank " + std::to_string(i) + ": " + all[i].substr(groups.size());
  registration = std::move(made);
  return Error::success();
}
