//===- StrictJson.cpp - JSON from untrusted files -------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Import/StrictJson.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/Twine.h"

#include <vector>

using namespace llvm;

namespace mlir::muon {

std::string quoteForMessage(StringRef text) {
  constexpr size_t limit = 160;
  std::string result = "\"";
  for (char c : text.take_front(limit)) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      (result += '\\') += c;
    else if (byte < 0x20 || byte == 0x7f)
      (result += "\\x") += toHex(StringRef(&c, 1), /*LowerCase=*/true);
    else
      result += c;
  }
  if (text.size() > limit)
    result += "...";
  return result += '"';
}

std::string jsonMemberPath(StringRef parent, StringRef key) {
  bool plain = !key.empty() && key.size() <= 64 &&
               all_of(key, [](char c) { return isAlnum(c) || c == '_'; });
  if (!plain)
    return (parent + "[" + quoteForMessage(key) + "]").str();
  return parent.empty() ? key.str() : (parent + "." + key).str();
}

std::string jsonElementPath(StringRef parent, size_t index) {
  return (parent + "[" + Twine(index) + "]").str();
}

/// True if `token` is a number in the grammar of RFC 8259.
static bool isJsonNumber(StringRef token) {
  auto digits = [&token] {
    StringRef taken = token.take_while([](char c) { return isDigit(c); });
    token = token.drop_front(taken.size());
    return taken;
  };
  token.consume_front("-");
  StringRef whole = digits();
  if (whole.empty() || (whole.size() > 1 && whole.front() == '0'))
    return false;
  if (token.consume_front(".") && digits().empty())
    return false;
  if (token.consume_front("e") || token.consume_front("E")) {
    if (!token.consume_front("-"))
      token.consume_front("+");
    if (digits().empty())
      return false;
  }
  return token.empty();
}

namespace {

/// Walks over the tokens of a text that may or may not be JSON. It only looks
/// for what llvm::json::parse lets pass; whatever makes no sense here makes
/// none to the parser either, which then says so.
class Scanner {
public:
  explicit Scanner(StringRef text) : text(text) {}

  /// Also lists the keys of the object that is member `key` of the root.
  Scanner(StringRef text, StringRef key, std::vector<std::string> &keys)
      : text(text), listedMember(key), listedKeys(&keys) {}

  Error scan() {
    while (position < text.size()) {
      char c = text[position];
      if (c == '"') {
        if (Error error = scanString())
          return error;
      } else if (isDigit(c) || c == '-' || c == '+' || c == '.') {
        if (Error error = scanNumber())
          return error;
      } else if (isAlpha(c)) {
        // A literal such as false; its letters are not an exponent.
        while (position < text.size() && isAlpha(text[position]))
          ++position;
      } else {
        if (Error error = scanPunctuation(c))
          return error;
        ++position;
      }
    }
    return Error::success();
  }

private:
  struct Frame {
    bool isObject;
    /// In an object: a string met now is a key.
    bool expectsKey;
    size_t index = 0;
    std::string key = {};
    StringSet<> keys = {};
  };

  Error fail(const Twine &message) const {
    std::string path;
    for (const Frame &frame : frames) {
      if (!frame.isObject)
        path = jsonElementPath(path, frame.index);
      else if (!frame.key.empty() &&
               !(&frame == &frames.back() && frame.expectsKey))
        path = jsonMemberPath(path, frame.key);
    }
    size_t line = text.take_front(position).count('\n') + 1;
    return createStringError(path + (path.empty() ? "" : ": ") + message +
                             " (line " + Twine(line) + ")");
  }

  Error scanString() {
    size_t end = position + 1;
    while (end < text.size() && text[end] != '"')
      end += text[end] == '\\' ? 2 : 1;
    if (end >= text.size()) {
      position = text.size();
      return Error::success();
    }
    StringRef token = text.slice(position, end + 1);
    if (!frames.empty() && frames.back().expectsKey) {
      Frame &frame = frames.back();
      std::string key = token.drop_front().drop_back().str();
      if (token.contains('\\')) {
        // Two spellings of one key are still one key.
        Expected<json::Value> decoded = json::parse(token);
        if (!decoded)
          consumeError(decoded.takeError());
        else if (std::optional<StringRef> string = decoded->getAsString())
          key = string->str();
      }
      if (!frame.keys.insert(key).second)
        return fail("duplicate key " + quoteForMessage(key));
      if (listedKeys && frames.size() == 2 && frames[0].isObject &&
          frames[0].key == listedMember)
        listedKeys->push_back(key);
      frame.key = std::move(key);
    }
    position = end + 1;
    return Error::success();
  }

  Error scanNumber() {
    StringRef token = text.drop_front(position).take_while(
        [](char c) { return isDigit(c) || StringRef("+-.eE").contains(c); });
    if (!isJsonNumber(token))
      return fail(quoteForMessage(token) + " is not a JSON number");
    position += token.size();
    return Error::success();
  }

  Error scanPunctuation(char c) {
    switch (c) {
    case '{':
    case '[':
      if (frames.size() == maxJsonDepth)
        return createStringError("objects and arrays are nested deeper than " +
                                 Twine(maxJsonDepth) + " levels");
      frames.push_back({c == '{', c == '{'});
      break;
    case '}':
    case ']':
      if (!frames.empty())
        frames.pop_back();
      break;
    case ',':
      if (!frames.empty()) {
        frames.back().expectsKey = frames.back().isObject;
        ++frames.back().index;
      }
      break;
    case ':':
      if (!frames.empty())
        frames.back().expectsKey = false;
      break;
    default:
      break;
    }
    return Error::success();
  }

  StringRef text, listedMember;
  std::vector<std::string> *listedKeys = nullptr;
  size_t position = 0;
  std::vector<Frame> frames;
};

} // namespace

std::vector<std::string> getJsonKeyOrder(StringRef text, StringRef key) {
  std::vector<std::string> keys;
  cantFail(Scanner(text, key, keys).scan());
  return keys;
}

Expected<json::Value> parseStrictJson(StringRef text) {
  if (Error error = Scanner(text).scan())
    return error;
  Expected<json::Value> value = json::parse(text);
  if (!value)
    return createStringError("not valid JSON: " + toString(value.takeError()));
  return value;
}

} // namespace mlir::muon
