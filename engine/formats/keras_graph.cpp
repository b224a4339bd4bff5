#include "engine/formats/keras_graph.h"

#include <algorithm>
#include <map>

namespace moe {

namespace {

bool upper(char c) {
    return c >= 'A' && c <= 'Z';
}
bool lower(char c) {
    return c >= 'a' && c <= 'z';
}

// Operations are no layers: they have no group and do not count.
bool is_layer(const KerasNode& node) {
    return node.class_name != "NotEqual" && node.class_name != "Gelu" && node.class_name != "Einsum";
}

void add_kernel_and_bias(std::vector<KerasVariable>& to, const std::string& group, std::size_t kernel,
                         std::optional<std::size_t> expert = {}) {
    to.push_back({group + "/vars/0", kernel, expert});
    to.push_back({group + "/vars/1", kernel + 1, expert});
}

}  // namespace

std::string keras_snake_case(std::string_view class_name) {
    // (.)([A-Z][a-z]+) -> \1_\2, from left to right without overlap.
    std::string first;
    for (std::size_t i = 0; i < class_name.size();) {
        if (i + 2 < class_name.size() && upper(class_name[i + 1]) && lower(class_name[i + 2])) {
            first += class_name[i];
            first += '_';
            first += class_name[++i];
            for (++i; i < class_name.size() && lower(class_name[i]); ++i) first += class_name[i];
        } else {
            first += class_name[i++];
        }
    }
    // ([a-z])([A-Z]) -> \1_\2, then lower case.
    std::string snake;
    for (std::size_t i = 0; i < first.size(); ++i) {
        if (i > 0 && lower(first[i - 1]) && upper(first[i])) snake += '_';
        snake += upper(first[i]) ? static_cast<char>(first[i] + 32) : first[i];
    }
    return snake;
}

std::vector<std::size_t> KerasGraph::order() const {
    std::vector<std::size_t> visit(nodes.size(), 0), depth(nodes.size(), 0), finished;
    std::vector<bool> seen(nodes.size(), false);
    struct Frame {
        std::size_t node, next_input;
    };
    // A walk with a stack of its own: a chain of thousands of layers must not use up the thread's.
    std::vector<Frame> stack{{output, 0}};
    std::size_t visits = 0;
    seen[output] = true;
    visit[output] = visits++;
    while (!stack.empty()) {
        Frame& top = stack.back();
        if (top.next_input == nodes[top.node].inputs.size()) {
            finished.push_back(top.node);
            stack.pop_back();
            continue;
        }
        const std::size_t input = nodes[top.node].inputs[top.next_input++];
        if (seen[input]) continue;
        seen[input] = true;
        visit[input] = visits++;
        stack.push_back({input, 0});
    }
    for (auto node = finished.rbegin(); node != finished.rend(); ++node)
        for (const std::size_t input : nodes[*node].inputs) depth[input] = std::max(depth[input], depth[*node] + 1);
    std::sort(finished.begin(), finished.end(), [&](std::size_t a, std::size_t b) {
        return depth[a] != depth[b] ? depth[a] > depth[b] : visit[a] < visit[b];
    });
    return finished;
}

std::vector<std::string> KerasGraph::groups() const {
    std::vector<std::string> groups(nodes.size());
    std::map<std::string, std::size_t> used;
    for (const std::size_t node : order()) {
        if (!is_layer(nodes[node])) continue;
        const std::string snake = keras_snake_case(nodes[node].class_name);
        const std::size_t before = used[snake]++;
        groups[node] = "layers/" + snake + (before ? "_" + std::to_string(before) : "");
    }
    return groups;
}

std::vector<std::string> KerasModel::weight_paths() const {
    const std::vector<std::string> groups = graph.groups();
    std::vector<std::string> paths{groups[embedding] + "/vars/0"};
    for (const std::size_t layer : {gate, hidden, experts, head}) {
        paths.push_back(groups[layer] + "/vars/0");
        paths.push_back(groups[layer] + "/vars/1");
    }
    return paths;
}

std::vector<std::size_t> KerasModel::trainable_order() const {
    const std::map<std::size_t, std::vector<std::size_t>> parameters = {
        {embedding, {0}}, {gate, {1, 2}}, {hidden, {3, 4}}, {experts, {5, 6}}, {head, {7, 8}}};
    std::vector<std::size_t> trainable;
    for (const std::size_t node : graph.order())
        if (const auto found = parameters.find(node); found != parameters.end())
            trainable.insert(trainable.end(), found->second.begin(), found->second.end());
    return trainable;
}

std::vector<KerasVariable> KerasModel::variables() const {
    std::vector<KerasVariable> all;
    if (!of_classes) {
        const std::vector<std::string> paths = weight_paths();
        for (const std::size_t i : trainable_order()) all.push_back({paths[i], i});
        return all;
    }
    const std::vector<std::string> groups = graph.groups();
    all.push_back({groups[embedding] + "/vars/0", 0});
    add_kernel_and_bias(all, groups[experts] + "/gating/dense", 1);
    for (std::size_t e = 0; e < spec.num_experts; ++e) {
        const std::string layers =
            groups[experts] + "/experts/sequential" + (e ? "_" + std::to_string(e) : "") + "/layers";
        add_kernel_and_bias(all, layers + "/dense", 3, e);
        add_kernel_and_bias(all, layers + "/dense_1", 5, e);
    }
    add_kernel_and_bias(all, groups[head], 7);
    return all;
}

std::vector<std::string> KerasModel::weight_groups() const {
    std::vector<std::string> all;
    for (const std::string& group : graph.groups())
        if (!group.empty()) all.push_back(group + "/vars");
    if (of_classes) {
        // Every part of the layer has the group of its own variables, as Keras writes it, also where there are none.
        for (const KerasVariable& variable : variables()) {
            const std::string vars = variable.path.substr(0, variable.path.rfind('/'));
            all.push_back(vars);
            if (const std::size_t layers = vars.find("/layers/", vars.find("/experts/")); layers != std::string::npos)
                all.push_back(vars.substr(0, layers) + "/vars");
            if (const std::size_t gating = vars.find("/gating/"); gating != std::string::npos)
                all.push_back(vars.substr(0, gating) + "/gating/vars");
        }
    }
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return all;
}

}  // namespace moe
