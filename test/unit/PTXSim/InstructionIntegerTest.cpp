//===- InstructionIntegerTest.cpp - Integers, bits, logic -------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Sections "Integer Arithmetic Instructions", "Extended-Precision Integer
// Arithmetic Instructions", "Logic and Shift Instructions" and "prmt".
//
//===----------------------------------------------------------------------===//

#include "InstructionTest.h"

#include <algorithm>

using namespace muon::ptxsim;
using namespace muon::ptxsim::test;

namespace {

using Signed = __int128;
using Unsigned = unsigned __int128;

const std::vector<std::string> integers = {"u16", "u32", "u64",
                                           "s16", "s32", "s64"};
const std::vector<std::string> wideIntegers = {"u32", "u64", "s32", "s64"};
const std::vector<std::string> bitTypes = {"b16", "b32", "b64"};

/// The number that the bits stand for.
Signed number(const std::string &type, uint64_t bits) {
  unsigned width = bitsOfType(type);
  return isSignedType(type) ? Signed(extend(bits, width))
                            : Signed(cut(bits, width));
}

Signed clampS32(Signed value) {
  return std::min<Signed>(std::max<Signed>(value, INT32_MIN), INT32_MAX);
}

TEST(PTXInteger, AddSub) {
  for (const std::string &type : integers) {
    checkOp("add." + type, type, {type, type},
            [](const Values &s) { return s[0] + s[1]; });
    checkOp("sub." + type, type, {type, type},
            [](const Values &s) { return s[0] - s[1]; });
  }
  checkOp("add.sat.s32", "s32", {"s32", "s32"}, [](const Values &s) {
    return uint64_t(clampS32(number("s32", s[0]) + number("s32", s[1])));
  });
  checkOp("sub.sat.s32", "s32", {"s32", "s32"}, [](const Values &s) {
    return uint64_t(clampS32(number("s32", s[0]) - number("s32", s[1])));
  });
}

TEST(PTXInteger, Immediates) {
  check("add.s32 %d0, %s0, -7;", {"s32"}, {"s32"},
        [](const Values &s) { return Values{s[0] - 7}; });
  check("sub.u32 %d0, 0xffff0000, %s0;", {"u32"}, {"u32"},
        [](const Values &s) { return Values{0xffff0000 - s[0]}; });
  check("mul.lo.s64 %d0, %s0, -3;", {"s64"}, {"s64"},
        [](const Values &s) { return Values{s[0] * uint64_t(-3)}; });
  check("and.b64 %d0, %s0, 0x7fffffffffffffff;", {"b64"}, {"b64"},
        [](const Values &s) { return Values{s[0] << 1 >> 1}; });
  check("add.u16 %d0, %s0, -1;", {"u16"}, {"u16"},
        [](const Values &s) { return Values{s[0] - 1}; });
  check("shl.b32 %d0, %s0, 5;", {"b32"}, {"b32"},
        [](const Values &s) { return Values{s[0] << 5}; });
  check("mad.wide.s32 %d0, %s0, -8, %s1;", {"s64"}, {"s32", "s64"},
        [](const Values &s) {
          return Values{uint64_t(extend(s[0], 32) * -8) + s[1]};
        });
  check("mov.u32 %d0, 4294967295;\n  mov.u64 %d1, 0777;\n"
        "  mov.b32 %d2, 0b101;\n  mov.s64 %d3, -9223372036854775808;\n"
        "  mov.u32 %d4, (3 + 4) * 2 - (1 << 3);",
        {"u32", "u64", "b32", "s64", "u32"}, {"u32"}, [](const Values &) {
          return Values{0xffffffff, 511, 5, uint64_t(1) << 63, 6};
        });
}

TEST(PTXInteger, Mul) {
  for (const std::string &type : integers) {
    unsigned bits = bitsOfType(type);
    auto product = [type](const Values &s) {
      return number(type, s[0]) * number(type, s[1]);
    };
    // The product of two u64 has 128 bits.
    auto high = [type, bits, product](const Values &s) {
      if (isSignedType(type))
        return uint64_t(product(s) >> bits);
      return uint64_t((Unsigned(cut(s[0], bits)) * cut(s[1], bits)) >> bits);
    };
    checkOp("mul.lo." + type, type, {type, type},
            [](const Values &s) { return s[0] * s[1]; });
    checkOp("mul.hi." + type, type, {type, type}, high);
    checkOp("mad.lo." + type, type, {type, type, type},
            [](const Values &s) { return s[0] * s[1] + s[2]; });
    checkOp("mad.hi." + type, type, {type, type, type},
            [high](const Values &s) { return high(s) + s[2]; });
    if (bits == 64)
      continue;
    std::string wide = type.substr(0, 1) + std::to_string(2 * bits);
    checkOp("mul.wide." + type, wide, {type, type},
            [product](const Values &s) { return uint64_t(product(s)); });
    checkOp("mad.wide." + type, wide, {type, type, wide},
            [product](const Values &s) { return uint64_t(product(s)) + s[2]; });
  }
  checkOp("mad.hi.sat.s32", "s32", {"s32", "s32", "s32"}, [](const Values &s) {
    Signed high = number("s32", s[0]) * number("s32", s[1]) >> 32;
    return uint64_t(clampS32(high + number("s32", s[2])));
  });
}

TEST(PTXInteger, Mul24) {
  for (std::string type : {"u32", "s32"}) {
    auto product = [type](const Values &s) {
      if (type == "s32")
        return uint64_t(extend(s[0], 24) * extend(s[1], 24));
      return cut(s[0], 24) * cut(s[1], 24);
    };
    checkOp("mul24.lo." + type, type, {type, type}, product);
    checkOp("mul24.hi." + type, type, {type, type},
            [=](const Values &s) { return product(s) >> 16; });
    checkOp("mad24.lo." + type, type, {type, type, type},
            [=](const Values &s) { return product(s) + s[2]; });
    checkOp("mad24.hi." + type, type, {type, type, type},
            [=](const Values &s) { return (product(s) >> 16) + s[2]; });
  }
  checkOp("mad24.hi.sat.s32", "s32", {"s32", "s32", "s32"},
          [](const Values &s) {
            int64_t high = extend(s[0], 24) * extend(s[1], 24) >> 16;
            return uint64_t(clampS32(Signed(high) + number("s32", s[2])));
          });
}

TEST(PTXInteger, SadDivRemMinMax) {
  for (const std::string &type : integers) {
    unsigned bits = bitsOfType(type);
    checkOp("sad." + type, type, {type, type, type}, [type](const Values &s) {
      Signed a = number(type, s[0]), b = number(type, s[1]);
      return s[2] + uint64_t(a < b ? b - a : a - b);
    });
    CheckOptions options;
    // A zero divisor, and the one quotient that does not fit, are left open.
    options.adjust = [type, bits](Values &s) {
      if (cut(s[1], bits) == 0)
        s[1] = 3;
      if (isSignedType(type) && number(type, s[1]) == -1 &&
          cut(s[0], bits) == uint64_t(1) << (bits - 1))
        s[1] = 1;
    };
    checkOp(
        "div." + type, type, {type, type},
        [type](const Values &s) {
          return uint64_t(number(type, s[0]) / number(type, s[1]));
        },
        options);
    checkOp(
        "rem." + type, type, {type, type},
        [type](const Values &s) {
          return uint64_t(number(type, s[0]) % number(type, s[1]));
        },
        options);
    checkOp("min." + type, type, {type, type}, [type](const Values &s) {
      return uint64_t(std::min(number(type, s[0]), number(type, s[1])));
    });
    checkOp("max." + type, type, {type, type}, [type](const Values &s) {
      return uint64_t(std::max(number(type, s[0]), number(type, s[1])));
    });
  }
  for (std::string type : {"s16", "s32", "s64"}) {
    checkOp("abs." + type, type, {type}, [type](const Values &s) {
      return number(type, s[0]) < 0 ? -s[0] : s[0];
    });
    checkOp("neg." + type, type, {type}, [](const Values &s) { return -s[0]; });
  }
}

TEST(PTXInteger, CountAndFind) {
  for (unsigned bits : {32u, 64u}) {
    std::string type = "b" + std::to_string(bits);
    checkOp("popc." + type, "u32", {type}, [bits](const Values &s) {
      uint64_t count = 0;
      for (unsigned i = 0; i < bits; ++i)
        count += s[0] >> i & 1;
      return count;
    });
    checkOp("clz." + type, "u32", {type}, [bits](const Values &s) {
      uint64_t count = 0;
      while (count < bits && !(s[0] >> (bits - 1 - count) & 1))
        ++count;
      return count;
    });
    checkOp("brev." + type, type, {type}, [bits](const Values &s) {
      uint64_t result = 0;
      for (unsigned i = 0; i < bits; ++i)
        result |= (s[0] >> i & 1) << (bits - 1 - i);
      return result;
    });
    checkOp("cnot." + type, type, {type},
            [](const Values &s) { return uint64_t(s[0] == 0); });
    for (std::string sign : {"u", "s"})
      for (bool shift : {false, true})
        checkOp("bfind" + std::string(shift ? ".shiftamt." : ".") + sign +
                    std::to_string(bits),
                "u32", {sign + std::to_string(bits)}, [=](const Values &s) {
                  bool sought = !(sign == "s" && (s[0] >> (bits - 1) & 1));
                  for (unsigned i = bits; i-- > 0;)
                    if (bool(s[0] >> i & 1) == sought)
                      return uint64_t(shift ? bits - 1 - i : i);
                  return uint64_t(0xffffffff);
                });
  }
  checkOp("cnot.b16", "b16", {"b16"},
          [](const Values &s) { return uint64_t(s[0] == 0); });
}

TEST(PTXInteger, FindNthSet) {
  CheckOptions options;
  options.count = 4000;
  // A base of 32 or more is left open.
  options.adjust = [](Values &s) {
    s[1] &= 31;
    if (s[2] % 3)
      s[2] = uint64_t(int64_t(s[2] % 41) - 20);
    s[2] = cut(s[2], 32);
  };
  checkOp(
      "fns.b32", "b32", {"b32", "b32", "s32"},
      [](const Values &s) {
        int64_t offset = extend(s[2], 32), base = int64_t(s[1]);
        if (offset == 0)
          return s[0] >> base & 1 ? uint64_t(base) : 0xffffffff;
        // The |offset|-th set bit, counted from base upward or downward.
        int64_t left = std::abs(offset), step = offset > 0 ? 1 : -1;
        for (int64_t at = base; at >= 0 && at < 32; at += step)
          if (s[0] >> at & 1 && --left == 0)
            return uint64_t(at);
        return uint64_t(0xffffffff);
      },
      options);
}

TEST(PTXInteger, BitFields) {
  for (const std::string &type : wideIntegers) {
    unsigned bits = bitsOfType(type), last = bits - 1;
    CheckOptions options;
    options.count = 4000;
    checkOp(
        "bfe." + type, type, {type, "u32<70", "u32<70"},
        [=](const Values &s) {
          unsigned at = s[1] & 0xff, length = s[2] & 0xff;
          uint64_t fill = 0;
          if (isSignedType(type) && length)
            fill = s[0] >> std::min(at + length - 1, last) & 1;
          uint64_t result = 0;
          for (unsigned i = 0; i < bits; ++i)
            result |=
                (i < length && at + i <= last ? s[0] >> (at + i) & 1 : fill)
                << i;
          return result;
        },
        options);
    if (isSignedType(type))
      continue;
    std::string plain = "b" + std::to_string(bits);
    checkOp(
        "bfi." + plain, plain, {plain, plain, "u32<70", "u32<70"},
        [=](const Values &s) {
          unsigned at = s[2] & 0xff, length = s[3] & 0xff;
          uint64_t result = s[1];
          for (unsigned i = 0; i < length && at + i <= last; ++i) {
            result &= ~(uint64_t(1) << (at + i));
            result |= (s[0] >> i & 1) << (at + i);
          }
          return result;
        },
        options);
  }
  for (bool clamp : {false, true}) {
    std::string mode = clamp ? "clamp." : "wrap.";
    for (std::string type : {"u32", "s32"})
      checkOp("szext." + mode + type, type, {type, "u32<40"},
              [=](const Values &s) {
                uint64_t width =
                    clamp ? std::min<uint64_t>(s[1], 32) : s[1] % 32;
                if (width == 0)
                  return uint64_t(0);
                return type == "s32" ? uint64_t(extend(s[0], unsigned(width)))
                                     : cut(s[0], unsigned(width));
              },
              {2000, 1, {}, ".version 8.0\n.target sm_80\n", {}});
    checkOp("bmsk." + mode + "b32", "b32", {"u32<40", "u32<40"},
            [=](const Values &s) {
              uint64_t at = s[0], width = s[1];
              if (!clamp) {
                at %= 32;
                width %= 32;
              }
              uint64_t result = 0;
              for (uint64_t i = 0; i < 32; ++i)
                if (i >= at && i - at < width)
                  result |= uint64_t(1) << i;
              return result;
            },
            {2000, 1, {}, ".version 8.0\n.target sm_80\n", {}});
  }
}

TEST(PTXInteger, DotProducts) {
  for (std::string a : {"u32", "s32"})
    for (std::string b : {"u32", "s32"}) {
      auto part = [](const std::string &type, uint64_t value, unsigned bits,
                     unsigned i) {
        value = cut(value >> (bits * i), bits);
        return type == "s32" ? extend(value, bits) : int64_t(value);
      };
      std::string types = a + "." + b;
      checkOp("dp4a." + types, "b32", {"b32", "b32", "b32"},
              [=](const Values &s) {
                int64_t sum = int64_t(s[2]);
                for (unsigned i = 0; i < 4; ++i)
                  sum += part(a, s[0], 8, i) * part(b, s[1], 8, i);
                return uint64_t(sum);
              });
      for (bool high : {false, true})
        checkOp("dp2a." + std::string(high ? "hi." : "lo.") + types, "b32",
                {"b32", "b32", "b32"}, [=](const Values &s) {
                  int64_t sum = int64_t(s[2]);
                  for (unsigned i = 0; i < 2; ++i)
                    sum += part(a, s[0], 16, i) *
                           part(b, s[1], 8, i + (high ? 2 : 0));
                  return uint64_t(sum);
                });
    }
}

//===----------------------------------------------------------------------===//
// Carries
//===----------------------------------------------------------------------===//

TEST(PTXInteger, AddWithCarry) {
  for (const std::string &type : wideIntegers) {
    unsigned bits = bitsOfType(type);
    std::vector<std::string> six(6, type);
    // Three words of each; the carry out of the last is read by a fourth.
    check("add.cc." + type + " %d0, %s0, %s3;\n  addc.cc." + type +
              " %d1, %s1, %s4;\n  addc.cc." + type +
              " %d2, %s2, %s5;\n  addc." + type + " %d3, 0, 0;",
          {type, type, type, type}, six, [bits](const Values &s) {
            Values result;
            Unsigned carry = 0;
            for (int i = 0; i < 3; ++i) {
              carry += Unsigned(cut(s[i], bits)) + cut(s[i + 3], bits);
              result.push_back(uint64_t(carry));
              carry >>= bits;
            }
            result.push_back(uint64_t(carry));
            return result;
          });
    check("sub.cc." + type + " %d0, %s0, %s3;\n  subc.cc." + type +
              " %d1, %s1, %s4;\n  subc." + type + " %d2, %s2, %s5;",
          {type, type, type}, six, [bits](const Values &s) {
            Values result;
            uint64_t borrow = 0;
            for (int i = 0; i < 3; ++i) {
              uint64_t a = cut(s[i], bits), b = cut(s[i + 3], bits);
              result.push_back(a - b - borrow);
              borrow = a < b || (a == b && borrow);
            }
            return result;
          });
    // Without .cc the carry is left as it was.
    check("add.cc." + type + " %d0, %s0, %s1;\n  addc." + type +
              " %d1, %s2, %s3;\n  addc." + type + " %d2, %s4, %s5;",
          {type, type, type}, six, [bits](const Values &s) {
            Unsigned sum = Unsigned(cut(s[0], bits)) + cut(s[1], bits);
            uint64_t carry = uint64_t(sum >> bits);
            return Values{uint64_t(sum), s[2] + s[3] + carry,
                          s[4] + s[5] + carry};
          });
  }
}

TEST(PTXInteger, MulWithCarry) {
  for (const std::string &type : wideIntegers) {
    unsigned bits = bitsOfType(type);
    auto product = [=](const Values &s, bool high) {
      Unsigned full = isSignedType(type)
                          ? Unsigned(number(type, s[0]) * number(type, s[1]))
                          : Unsigned(cut(s[0], bits)) * cut(s[1], bits);
      return cut(uint64_t(high ? full >> bits : full), bits);
    };
    for (bool high : {false, true}) {
      std::string part = high ? "hi" : "lo";
      check("mad." + part + ".cc." + type + " %d0, %s0, %s1, %s2;\n  addc." +
                type + " %d1, 0, 0;",
            {type, type}, {type, type, type}, [=](const Values &s) {
              Unsigned sum = Unsigned(product(s, high)) + cut(s[2], bits);
              return Values{uint64_t(sum), uint64_t(sum >> bits)};
            });
      // %s3 + %s4 leaves the carry that madc takes in.
      check("add.cc." + type + " %d2, %s3, %s4;\n  madc." + part + ".cc." +
                type + " %d0, %s0, %s1, %s2;\n  addc." + type + " %d1, 0, 0;",
            {type, type, type}, std::vector<std::string>(5, type),
            [=](const Values &s) {
              Unsigned first = Unsigned(cut(s[3], bits)) + cut(s[4], bits);
              Unsigned sum = Unsigned(product(s, high)) + cut(s[2], bits) +
                             (first >> bits);
              return Values{uint64_t(sum), uint64_t(sum >> bits),
                            uint64_t(first)};
            });
      check("add.cc." + type + " %d1, %s3, %s4;\n  madc." + part + "." + type +
                " %d0, %s0, %s1, %s2;",
            {type, type}, std::vector<std::string>(5, type),
            [=](const Values &s) {
              Unsigned first = Unsigned(cut(s[3], bits)) + cut(s[4], bits);
              return Values{product(s, high) + s[2] + uint64_t(first >> bits),
                            uint64_t(first)};
            });
    }
  }
}

//===----------------------------------------------------------------------===//
// Logic and shifts
//===----------------------------------------------------------------------===//

TEST(PTXLogic, Bitwise) {
  std::vector<std::string> with = bitTypes;
  with.push_back("pred");
  for (const std::string &type : with) {
    checkOp("and." + type, type, {type, type},
            [](const Values &s) { return s[0] & s[1]; });
    checkOp("or." + type, type, {type, type},
            [](const Values &s) { return s[0] | s[1]; });
    checkOp("xor." + type, type, {type, type},
            [](const Values &s) { return s[0] ^ s[1]; });
    checkOp("not." + type, type, {type}, [](const Values &s) { return ~s[0]; });
  }
  check("and.pred %d0, !%s0, %s1;", {"pred"}, {"pred", "pred"},
        [](const Values &s) { return Values{~s[0] & s[1]}; });
  check("mov.pred %d0, !%s0;", {"pred"}, {"pred"},
        [](const Values &s) { return Values{~s[0]}; });
}

TEST(PTXLogic, Lop3) {
  CheckOptions options;
  options.count = 60;
  options.target = ".version 8.2\n.target sm_80\n";
  for (unsigned table = 0; table < 256; ++table) {
    auto function = [table](const Values &s) {
      uint64_t result = 0;
      for (unsigned i = 0; i < 32; ++i) {
        unsigned row = unsigned(s[0] >> i & 1) * 4 +
                       unsigned(s[1] >> i & 1) * 2 + unsigned(s[2] >> i & 1);
        result |= uint64_t(table >> row & 1) << i;
      }
      return result;
    };
    std::string lut = std::to_string(table);
    check(
        "lop3.b32 %d0, %s0, %s1, %s2, " + lut + ";", {"b32"},
        {"b32", "b32", "b32"},
        [=](const Values &s) { return Values{function(s)}; }, options);
    if (table % 37)
      continue;
    check(
        "lop3.or.b32 %d0|%d1, %s0, %s1, %s2, " + lut + ", %s3;",
        {"b32", "pred"}, {"b32", "b32", "b32", "pred"},
        [=](const Values &s) {
          uint64_t d = function(s);
          return Values{d, uint64_t(d != 0 || s[3])};
        },
        options);
    check(
        "lop3.and.b32 %d0|%d1, %s0, %s1, %s2, " + lut + ", !%s3;",
        {"b32", "pred"}, {"b32", "b32", "b32", "pred"},
        [=](const Values &s) {
          uint64_t d = function(s);
          return Values{d, uint64_t(d != 0 && !s[3])};
        },
        options);
  }
  check(
      "lop3.and.b32 _|%d0, %s0, %s1, %s2, 0x80, %s3;", {"pred"},
      {"b32", "b32", "b32", "pred"},
      [](const Values &s) {
        return Values{uint64_t((s[0] & s[1] & s[2]) != 0 && s[3])};
      },
      options);
}

TEST(PTXLogic, Shifts) {
  for (unsigned bits : {16u, 32u, 64u}) {
    std::string width = std::to_string(bits);
    checkOp("shl.b" + width, "b" + width, {"b" + width, "u32<70"},
            [=](const Values &s) { return s[1] >= bits ? 0 : s[0] << s[1]; });
    for (std::string sign : {"b", "u"})
      checkOp("shr." + sign + width, sign + width, {sign + width, "u32<70"},
              [=](const Values &s) { return s[1] >= bits ? 0 : s[0] >> s[1]; });
    checkOp("shr.s" + width, "s" + width, {"s" + width, "u32<70"},
            [=](const Values &s) {
              return uint64_t(extend(s[0], bits) >>
                              std::min<uint64_t>(s[1], bits - 1));
            });
  }
  for (bool left : {true, false})
    for (bool clamp : {true, false})
      checkOp(std::string("shf.") + (left ? "l." : "r.") +
                  (clamp ? "clamp.b32" : "wrap.b32"),
              "b32", {"b32", "b32", "u32<40"}, [=](const Values &s) {
                uint64_t pair = s[1] << 32 | s[0];
                uint64_t by = clamp ? std::min<uint64_t>(s[2], 32) : s[2] & 31;
                return left ? pair << by >> 32 : pair >> by;
              });
}

TEST(PTXLogic, Prmt) {
  auto byte = [](const Values &s, unsigned i) {
    return (s[1] << 32 | s[0]) >> (8 * (i & 7)) & 0xff;
  };
  checkOp("prmt.b32", "b32", {"b32", "b32", "b32"}, [=](const Values &s) {
    uint64_t result = 0;
    for (unsigned i = 0; i < 4; ++i) {
      unsigned select = s[2] >> (4 * i) & 15;
      uint64_t value = byte(s, select);
      if (select & 8)
        value = value & 0x80 ? 0xff : 0;
      result |= value << (8 * i);
    }
    return result;
  });
  // Rows of the table of special modes: the bytes of the result from the
  // highest, for selectors 0 to 3.
  const struct {
    const char *mode, *rows[4];
  } modes[] = {{"f4e", {"3210", "4321", "5432", "6543"}},
               {"b4e", {"5670", "6701", "7012", "0123"}},
               {"rc8", {"0000", "1111", "2222", "3333"}},
               {"ecl", {"3210", "3211", "3222", "3333"}},
               {"ecr", {"0000", "1110", "2210", "3210"}},
               {"rc16", {"1010", "3232", "1010", "3232"}}};
  for (const auto &mode : modes)
    checkOp(std::string("prmt.b32.") + mode.mode, "b32", {"b32", "b32", "b32"},
            [&](const Values &s) {
              const char *row = mode.rows[s[2] & 3];
              uint64_t result = 0;
              for (unsigned i = 0; i < 4; ++i)
                result = result << 8 | byte(s, unsigned(row[i] - '0'));
              return result;
            });
}

TEST(PTXLogic, MovesOfParts) {
  check("mov.b64 %d0, {%s0, %s1};", {"b64"}, {"b32", "b32"},
        [](const Values &s) { return Values{s[0] | s[1] << 32}; });
  check("mov.b64 {%d0, %d1}, %s0;", {"b32", "b32"}, {"b64"},
        [](const Values &s) {
          return Values{s[0], s[0] >> 32};
        });
  check("mov.b64 {_, %d0}, %s0;", {"b32"}, {"b64"},
        [](const Values &s) { return Values{s[0] >> 32}; });
  check("mov.b32 %d0, {%s0, %s1};", {"b32"}, {"b16", "b16"},
        [](const Values &s) { return Values{s[0] | s[1] << 16}; });
  check("mov.b32 {%d0, %d1}, %s0;", {"b16", "b16"}, {"b32"},
        [](const Values &s) {
          return Values{s[0], s[0] >> 16};
        });
  check("mov.b64 %d0, {%s0, %s1, %s2, %s3};", {"b64"},
        {"b16", "b16", "b16", "b16"}, [](const Values &s) {
          return Values{s[0] | s[1] << 16 | s[2] << 32 | s[3] << 48};
        });
  check("mov.b64 {%d0, %d1, %d2, %d3}, %s0;", {"b16", "b16", "b16", "b16"},
        {"b64"}, [](const Values &s) {
          return Values{s[0], s[0] >> 16, s[0] >> 32, s[0] >> 48};
        });
  check("mov.b64 %d0, {%s0, %s1};", {"b64"}, {"f32", "f32"},
        [](const Values &s) { return Values{s[0] | s[1] << 32}; });
  for (std::string type :
       {"b16", "b32", "b64", "u16", "s32", "u64", "f32", "f64"})
    checkOp("mov." + type, type, {type}, [](const Values &s) { return s[0]; });
}

TEST(PTXLogic, Guards) {
  check("mov.u32 %d0, 1;\n  @%s0 mov.u32 %d0, 2;\n  @!%s0 add.u32 %d0, %d0, 4;",
        {"u32"}, {"pred"},
        [](const Values &s) { return Values{uint64_t(s[0] ? 2 : 5)}; });
}

} // namespace
