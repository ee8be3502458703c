//===- BlockOrder.cpp - The order of basic blocks -------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BlockOrder.h"

#include <algorithm>

using namespace muon::ptxsim;

namespace {

class BlockOrder {
public:
  BlockOrder(const std::vector<BasicBlock> &blocks) : blocks(blocks) {
    level.resize(blocks.size(), 0);
    index.resize(blocks.size());
    low.resize(blocks.size());
    onStack.resize(blocks.size());
  }

  std::vector<uint32_t> run() {
    std::vector<uint32_t> all(blocks.size());
    for (uint32_t i = 0; i < all.size(); ++i)
      all[i] = i;
    place(all, 0, 0);
    return std::move(order);
  }

private:
  /// Nested loops beyond this are left in the order of the text.
  static constexpr unsigned maxDepth = 64;

  /// Places the nodes that `entry` reaches within `nodes`, all of them of this
  /// level.
  void place(const std::vector<uint32_t> &nodes, uint32_t entry,
             unsigned depth) {
    if (depth == maxDepth) {
      std::vector<uint32_t> rest = nodes;
      std::sort(rest.begin(), rest.end());
      order.insert(order.end(), rest.begin(), rest.end());
      return;
    }
    for (uint32_t node : nodes)
      index[node] = 0;
    std::vector<std::vector<uint32_t>> components;
    components = findComponents(entry, depth);
    // What only unreachable code reaches, or only the header of this loop.
    for (uint32_t node : nodes)
      if (level[node] == depth && !index[node] && depth) {
        auto more = findComponents(node, depth);
        components.insert(components.end(), more.begin(), more.end());
      }
    // Components come in reverse topological order.
    for (auto it = components.rbegin(); it != components.rend(); ++it) {
      std::vector<uint32_t> &component = *it;
      // The node of a component that the search reached first is its last.
      uint32_t header = component.back();
      order.push_back(header);
      if (component.size() == 1)
        continue;
      component.pop_back();
      for (uint32_t node : component)
        level[node] = depth + 1;
      level[header] = ~0u;
      // The rest begins at a successor of the header, else anywhere.
      uint32_t first = component.front();
      for (uint32_t successor : blocks[header].successors)
        if (level[successor] == depth + 1) {
          first = successor;
          break;
        }
      place(component, first, depth + 1);
      for (uint32_t node : component)
        level[node] = ~0u;
    }
  }

  /// R. Tarjan's algorithm without recursion.
  std::vector<std::vector<uint32_t>> findComponents(uint32_t root,
                                                    unsigned depth) {
    std::vector<std::vector<uint32_t>> found;
    struct Visit {
      uint32_t node;
      size_t next;
    };
    std::vector<Visit> visits{{root, 0}};
    std::vector<uint32_t> stack;
    index[root] = low[root] = ++counter;
    stack.push_back(root);
    onStack[root] = true;
    while (!visits.empty()) {
      Visit &visit = visits.back();
      uint32_t node = visit.node;
      const std::vector<uint32_t> &successors = blocks[node].successors;
      if (visit.next < successors.size()) {
        // Last first, so that what the text has first is placed first.
        uint32_t to = successors[successors.size() - 1 - visit.next++];
        if (level[to] != depth)
          continue;
        if (!index[to]) {
          index[to] = low[to] = ++counter;
          stack.push_back(to);
          onStack[to] = true;
          visits.push_back({to, 0});
        } else if (onStack[to]) {
          low[node] = std::min(low[node], index[to]);
        }
        continue;
      }
      visits.pop_back();
      if (!visits.empty())
        low[visits.back().node] = std::min(low[visits.back().node], low[node]);
      if (low[node] != index[node])
        continue;
      std::vector<uint32_t> component;
      while (true) {
        uint32_t top = stack.back();
        stack.pop_back();
        onStack[top] = false;
        component.push_back(top);
        if (top == node)
          break;
      }
      found.push_back(std::move(component));
    }
    return found;
  }

  const std::vector<BasicBlock> &blocks;
  std::vector<uint32_t> level, index, low, order;
  std::vector<bool> onStack;
  uint32_t counter = 0;
};

} // namespace

std::vector<uint32_t>
muon::ptxsim::orderOfBlocks(const std::vector<BasicBlock> &blocks) {
  return BlockOrder(blocks).run();
}
