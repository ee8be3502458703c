//===- Bootstrap.cpp - How processes become ranks -------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Bootstrap.h"

#include "../CollectiveEngine.h"
#include "../Text.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <random>
#include <sstream>

#include <fcntl.h>
#include <sys/stat.h>

using namespace muon;
using namespace muon::tcp;

static Error wrong(std::string message) {
  return Error(MUON_ERROR_INVALID_ARGUMENT, std::move(message));
}

static bool parseNumber(std::string_view text, int64_t least, int64_t most,
                        int64_t &number) {
  const char *end = text.data() + text.size();
  auto [rest, code] = std::from_chars(text.data(), end, number);
  return code == std::errc() && rest == end && number >= least &&
         number <= most;
}

//===----------------------------------------------------------------------===//
// Launchers
//===----------------------------------------------------------------------===//

static constexpr struct {
  Launch::Kind kind;
  const char *name, *rank, *ranks, *localRank, *localRanks;
} launchers[] = {{Launch::Torchrun, "torchrun", "RANK", "WORLD_SIZE",
                  "LOCAL_RANK", "LOCAL_WORLD_SIZE"},
                 {Launch::Mpirun, "mpirun", "OMPI_COMM_WORLD_RANK",
                  "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK",
                  "OMPI_COMM_WORLD_LOCAL_SIZE"},
                 {Launch::Srun, "srun", "SLURM_PROCID", "SLURM_NTASKS",
                  "SLURM_LOCALID", nullptr}};

Error tcp::findLaunch(const Environment &environment, Launch &launch) {
  launch = {};
  for (const auto &launcher : launchers) {
    const char *rank = environment(launcher.rank);
    if (!rank)
      continue;
    int64_t value = 0;
    auto read = [&](const char *name, int64_t least, int64_t most,
                    int32_t &number) {
      const char *text = environment(name);
      if (!text)
        return wrong(std::string("environment variable ") + name +
                     " is missing, which " + launcher.name +
                     " sets together with " + launcher.rank + "=" + rank);
      if (!parseNumber(text, least, most, value))
        return wrong(std::string("environment variable ") + name + " is " +
                     quote(text) + ", expected a number from " +
                     std::to_string(least) + " to " + std::to_string(most));
      number = int32_t(value);
      return Error::success();
    };
    launch.kind = launcher.kind;
    constexpr int64_t most = 1 << 20;
    if (Error error = read(launcher.ranks, 1, most, launch.ranks))
      return error;
    if (Error error = read(launcher.rank, 0, launch.ranks - 1, launch.rank))
      return error;
    // Some start their processes by hand, without these.
    if (environment(launcher.localRank))
      if (Error error =
              read(launcher.localRank, 0, launch.ranks - 1, launch.localRank))
        return error;
    if (launcher.localRanks && environment(launcher.localRanks))
      if (Error error =
              read(launcher.localRanks, 1, launch.ranks, launch.localRanks))
        return error;
    return Error::success();
  }
  return Error::success();
}

// "Hostlist expressions" in the manual of scontrol; only the first is needed.
std::string tcp::firstHost(const std::string &list) {
  const size_t end = list.find_first_of("[,");
  std::string host = list.substr(0, end);
  if (end == std::string::npos || list[end] == ',')
    return host;
  const size_t close = list.find(']', end);
  if (close == std::string::npos)
    return std::string();
  const std::string inside = list.substr(end + 1, close - end - 1);
  host += inside.substr(0, inside.find_first_of(",-"));
  // More dimensions, or what comes behind all of them.
  const std::string rest = list.substr(close + 1);
  if (rest.empty() || rest[0] == ',')
    return host;
  return host + firstHost(rest);
}

//===----------------------------------------------------------------------===//
// Rendezvous files
//===----------------------------------------------------------------------===//

static const char kTitle[] = "muon-rendezvous 1";

std::string Rendezvous::text() const {
  std::ostringstream out;
  out << kTitle << "\nranks " << ranks << "\naddress " << address.text()
      << "\nsecret ";
  for (char c : secret) {
    static const char digits[] = "0123456789abcdef";
    auto byte = static_cast<unsigned char>(c);
    out << digits[byte >> 4] << digits[byte & 15];
  }
  // So that a part of a file is none.
  out << "\nend\n";
  return out.str();
}

std::string Rendezvous::parse(const std::string &text) {
  std::istringstream lines(text);
  std::string line;
  auto next = [&](const std::string &start) -> std::optional<std::string> {
    if (!std::getline(lines, line) || lines.eof() || line.rfind(start, 0) != 0)
      return std::nullopt;
    return line.substr(start.size());
  };
  auto expected = [&](const std::string &what) {
    return lines.eof() ? "it is truncated: expected " + what
                       : "expected " + what + ", found " + quote(line);
  };
  std::optional<std::string> value = next(kTitle);
  if (!value || !value->empty())
    return expected(quote(kTitle));
  int64_t number = 0;
  if (!(value = next("ranks ")) || !parseNumber(*value, 1, 1 << 20, number))
    return expected("'ranks ' and a number");
  ranks = int32_t(number);
  if (!(value = next("address ")) || !parseAddress(*value, address))
    return expected("'address ' and a host and port");
  value = next("secret ");
  if (!value || value->size() != 2 * secret.size())
    return expected("'secret ' and 64 hexadecimal digits");
  for (size_t i = 0; i < secret.size(); ++i) {
    unsigned byte = 0;
    const char *begin = value->data() + 2 * i;
    auto [rest, code] = std::from_chars(begin, begin + 2, byte, 16);
    if (code != std::errc() || rest != begin + 2)
      return expected("'secret ' and 64 hexadecimal digits");
    secret[i] = char(byte);
  }
  if (!(value = next("end")) || !value->empty())
    return expected("'end'");
  return std::string();
}

static Error makeSecret(Secret &secret) {
  try {
    std::random_device random;
    for (char &byte : secret)
      byte = char(random());
    return Error::success();
  } catch (const std::exception &e) {
    return Error(MUON_ERROR_EXECUTION,
                 std::string("no random numbers for a secret: ") + e.what());
  }
}

/// For nobody else to read, and all at once.
static Error writeFile(const std::string &path, const std::string &text) {
  const std::string part = path + ".part";
  ::unlink(part.c_str());
  Socket file(
      ::open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  const bool isWritten =
      file.isOpen() &&
      ::write(file.get(), text.data(), text.size()) == ssize_t(text.size()) &&
      ::fsync(file.get()) == 0 && ::rename(part.c_str(), path.c_str()) == 0;
  if (isWritten)
    return Error::success();
  const int code = errno;
  ::unlink(part.c_str());
  return Error(MUON_ERROR_EXECUTION, "cannot write the rendezvous file " +
                                         quote(path) + ": " +
                                         std::strerror(code));
}

static Error readFile(const std::string &path, int32_t ranks,
                      Rendezvous &rendezvous) {
  const std::string where = "rendezvous file " + quote(path) + ": ";
  Socket file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.isOpen())
    return Error(MUON_ERROR_EXECUTION, where + std::strerror(errno) +
                                           "; rank 0 writes it when it starts");
  struct stat info;
  if (::fstat(file.get(), &info))
    return Error(MUON_ERROR_EXECUTION, where + std::strerror(errno));
  if (info.st_uid != ::geteuid())
    return wrong(where + "it belongs to another user");
  if (info.st_mode & (S_IWGRP | S_IWOTH))
    return wrong(where + "others may write it");
  char bytes[1024];
  const ssize_t count = ::read(file.get(), bytes, sizeof(bytes));
  if (count < 0)
    return Error(MUON_ERROR_EXECUTION, where + std::strerror(errno));
  std::string reason = rendezvous.parse(std::string(bytes, size_t(count)));
  if (reason.empty() && rendezvous.ranks != ranks)
    reason = "it is for " + std::to_string(rendezvous.ranks) +
             " ranks, this is one of " + std::to_string(ranks);
  return reason.empty() ? Error::success() : wrong(where + reason);
}

//===----------------------------------------------------------------------===//
// Meeting
//===----------------------------------------------------------------------===//

/// The address that rank 0 listens on, if it is not told one.
static Error ownHost(const Environment &environment, std::string &host) {
  const char *rule = environment("NCCL_SOCKET_IFNAME");
  return addressOfInterface(rule ? rule : "", host);
}

static Error makeEngine(std::unique_ptr<collective::Link> link,
                        std::unique_ptr<Communicator> &communicator) {
  communicator = std::make_unique<collective::Engine>(std::move(link));
  return Error::success();
}

static Error meetByFile(const Meeting &meeting, const Environment &environment,
                        Clock::time_point end,
                        std::unique_ptr<Communicator> &communicator) {
  const std::string &path = *meeting.file;
  const Launch &launch = meeting.launch;
  std::shared_ptr<Router> router;
  Rendezvous own;
  if (launch.rank == 0) {
    // One of an earlier run would send the others astray.
    if (::unlink(path.c_str()) && errno != ENOENT)
      return Error(MUON_ERROR_EXECUTION, "cannot replace the rendezvous file " +
                                             quote(path) + ": " +
                                             std::strerror(errno));
    own.ranks = launch.ranks;
    if (Error error = ownHost(environment, own.address.host))
      return error;
    if (Error error = makeSecret(own.secret))
      return error;
    if (Error error =
            startRouter(own.address, launch.ranks, own.secret, router))
      return error;
    if (Error error = writeFile(path, own.text()))
      return error;
  }
  auto refresh = [&](Address &address, Secret &secret) {
    Rendezvous read = own;
    if (launch.rank != 0)
      if (Error error = readFile(path, launch.ranks, read))
        return error;
    address = read.address;
    secret = read.secret;
    return Error::success();
  };
  std::unique_ptr<collective::Link> link;
  if (Error error = connectLink(launch.rank, launch.ranks, refresh, end,
                                std::move(router), link))
    return error;
  return makeEngine(std::move(link), communicator);
}

/// 64-bit hashes of what all ranks of a job have in common: it keeps jobs apart
/// that meet by accident, and is no secret.
static Secret secretOf(const Environment &environment) {
  std::string text;
  for (const char *name : {"MUON_RENDEZVOUS_SECRET", "TORCHELASTIC_RUN_ID",
                           "SLURM_JOB_ID", "SLURM_STEP_ID"})
    if (const char *value = environment(name)) {
      text += name;
      text += '=';
      text += value;
      text += '\n';
    }
  Secret secret = {};
  for (size_t i = 0; i < secret.size(); i += sizeof(uint64_t)) {
    const std::string part = std::to_string(i) + text;
    const uint64_t hash = collective::hashBytes(part.data(), part.size());
    std::memcpy(&secret[i], &hash, sizeof(hash));
  }
  return secret;
}

static Error findPort(const Environment &environment, const Launch &launch,
                      uint16_t &port) {
  int64_t number = 0;
  if (const char *text = environment("MUON_PORT")) {
    if (!parseNumber(text, 1, 65535, number))
      return wrong(std::string("environment variable MUON_PORT is ") +
                   quote(text) + ", expected a number from 1 to 65535");
  } else if (const char *text = environment("MASTER_PORT")) {
    // That one is torchrun's.
    if (!parseNumber(text, 1, 65534, number))
      return wrong(std::string("environment variable MASTER_PORT is ") +
                   quote(text) + ", expected a number from 1 to 65534");
    ++number;
  } else if (const char *text = environment("SLURM_JOB_ID");
             text && launch.kind == Launch::Srun) {
    if (!parseNumber(text, 0, INT64_MAX, number))
      return wrong(std::string("environment variable SLURM_JOB_ID is ") +
                   quote(text) + ", expected a number");
    number = 20000 + number % 10000;
  } else {
    return wrong("no port to meet the other ranks at: looked for the "
                 "environment variables MUON_PORT, MASTER_PORT and, under "
                 "srun, SLURM_JOB_ID; or give a rendezvous file");
  }
  port = uint16_t(number);
  return Error::success();
}

static Error meetByAddress(const Meeting &meeting,
                           const Environment &environment,
                           Clock::time_point end,
                           std::unique_ptr<Communicator> &communicator) {
  const Launch &launch = meeting.launch;
  Address address;
  if (const char *host = environment("MASTER_ADDR")) {
    address.host = host;
  } else if (launch.kind == Launch::Srun) {
    const char *list = environment("SLURM_STEP_NODELIST");
    list = list ? list : environment("SLURM_JOB_NODELIST");
    if (list)
      address.host = firstHost(list);
  }
  if (address.host.empty())
    return wrong(
        std::string("no host to meet the other ranks at: looked for the "
                    "environment variable MASTER_ADDR") +
        (launch.kind == Launch::Srun
             ? ", SLURM_STEP_NODELIST and SLURM_JOB_NODELIST"
             : "") +
        "; or give a rendezvous file");
  if (Error error = findPort(environment, launch, address.port))
    return error;
  const Secret secret = secretOf(environment);
  std::shared_ptr<Router> router;
  Address own = address;
  if (launch.rank == 0) {
    if (environment("NCCL_SOCKET_IFNAME"))
      if (Error error = ownHost(environment, own.host))
        return error;
    const std::string asked = own.text();
    if (Error error = startRouter(own, launch.ranks, secret, router))
      return Error(error.status(),
                   error.message() +
                       "; MUON_PORT sets another port, NCCL_SOCKET_IFNAME "
                       "another interface");
    if (isLoopback(own.host) && launch.localRanks &&
        launch.localRanks < launch.ranks)
      return wrong("rank 0 listens on " + own.text() + " for " + asked +
                   ", which ranks on other machines cannot reach; "
                   "NCCL_SOCKET_IFNAME names the interface that they can, "
                   "and MASTER_ADDR its address");
  }
  auto refresh = [&](Address &to, Secret &known) {
    to = launch.rank == 0 ? own : address;
    known = secret;
    return Error::success();
  };
  std::unique_ptr<collective::Link> link;
  if (Error error = connectLink(launch.rank, launch.ranks, refresh, end,
                                std::move(router), link))
    return error;
  return makeEngine(std::move(link), communicator);
}

Error tcp::meet(const Meeting &meeting, const Environment &environment,
                std::unique_ptr<Communicator> &communicator) {
  // Years, for no limit.
  const auto end =
      Clock::now() + (meeting.timeout.count() > 0
                          ? Clock::duration(meeting.timeout)
                          : Clock::duration(std::chrono::hours(24 * 3650)));
  auto made = [&](Error error) {
    if (!error)
      communicator->setTimeout(meeting.timeout);
    return error;
  };
  if (meeting.file)
    return made(meetByFile(meeting, environment, end, communicator));
  if (meeting.launch.kind == Launch::None)
    return wrong("nothing says which rank this is: looked for the environment "
                 "variables RANK (torchrun), OMPI_COMM_WORLD_RANK (mpirun) and "
                 "SLURM_PROCID (srun); or give the rank, the number of ranks "
                 "and a rendezvous file");
  if (meeting.launch.kind == Launch::Mpirun && !environment("MASTER_ADDR"))
    return made(makeMpiCommunicator(communicator));
  return made(meetByAddress(meeting, environment, end, communicator));
}
