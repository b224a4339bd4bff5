#include "engine/formats/keras_weights.h"

#include "engine/core/activation.h"
#include "engine/core/numbers.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

namespace moe {

namespace {

using Variable = KerasVariable;

std::string numbered(const std::string& name, std::size_t number) {
    return number == 0 ? name : name + "_" + std::to_string(number);
}

// The counter in a name that Keras gave: 9 in "dense_9", 0 in "dense"; nothing in a name of somebody's own.
std::optional<std::size_t> counter_of(const std::string& name, std::string_view base) {
    if (name == base) return 0;
    unsigned long long number = 0;
    if (!name.starts_with(std::string(base) + "_") || !parse_number(name.substr(base.size() + 1), number)) return {};
    return std::size_t(number);
}

class WeightsReader {
public:
    WeightsReader(Hdf5Reader& weights, const std::string& name, KerasModel& model, RunState& state)
        : reader_(weights), name_(name), model_(model), state_(state) {}

    std::vector<std::string> read(bool legacy) {
        std::vector<Variable> variables = legacy ? legacy_variables() : archive_variables();
        if (model_.of_classes) check_settings();
        expected_ = canonical_parameters(model_.spec);
        state_.parameters = allocated();
        for (const Variable& variable : variables) fill(state_.parameters, variable, variable.path, "");
        if (!model_.other_optimizer.empty())
            remarks_.push_back("'" + name_ + "' was trained by " + model_.other_optimizer +
                               "; training goes on by Adam as Keras has it by default, which begins anew.");
        for (const std::string& what : model_.left_out)
            remarks_.push_back("Keras trains '" + name_ + "' with " + what + "; training here goes on without it.");
        if (!model_.frozen.empty())
            remarks_.push_back("The layer '" + model_.frozen.front() + "'" +
                               (model_.frozen.size() > 1 ? " and others are" : " is") + " not trained in Keras; here " +
                               "every layer of '" + name_ + "' is, and the optimizer begins anew.");
        if (!model_.adam || !model_.frozen.empty()) return std::move(remarks_);
        if (!model_.schedule.empty())
            remarks_.push_back("The learning rate of '" + name_ + "' follows a schedule (" + model_.schedule +
                               "); training goes on at " + to_text(state_.experiment.train.learning_rate) + ".");
        if (legacy)
            read_legacy_optimizer(variables);
        else
            read_archive_optimizer(std::move(variables));
        return std::move(remarks_);
    }

private:
    const KerasNode& mixture() const { return model_.graph.nodes[model_.experts]; }

    [[noreturn]] void refuse_mixture(const std::string& why) const {
        throw Error("'" + name_ + "': the layer '" + mixture().name + "' (" + std::string(tutorial_class) + ") " + why +
                    "; save the model with Keras's built-in layers.");
    }

    // What a variable's owner is called in sentences.
    std::string owner_of(const Variable& variable) const {
        const std::array<std::size_t, 9> owners = {model_.embedding, model_.gate,   model_.gate,
                                                   model_.hidden,    model_.hidden, model_.experts,
                                                   model_.experts,   model_.head,   model_.head};
        std::string owner = "the layer '" + model_.graph.nodes[owners[variable.parameter]].name + "'";
        if (variable.expert) owner += ", expert " + std::to_string(*variable.expert + 1);
        return owner;
    }

    std::vector<std::size_t> shape_of(const Variable& variable) const {
        const auto& shape = expected_[variable.parameter].shape;
        const auto end = shape.begin() + std::ptrdiff_t(parameter_ranks[variable.parameter]);
        return {shape.begin() + (variable.expert ? 1 : 0), end};
    }

    // One expert's part is put into the whole bank, so that this has its size.
    std::vector<NamedArray> allocated() const {
        std::vector<NamedArray> arrays = expected_;
        if (model_.of_classes)
            for (std::size_t i = 3; i < 7; ++i)
                arrays[i].values.resize(arrays[i].shape[0] * arrays[i].shape[1] * arrays[i].shape[2]);
        return arrays;
    }

    void fill(std::vector<NamedArray>& arrays, const Variable& variable, const std::string& path, const char* whose) {
        const std::string owner = whose + owner_of(variable);
        std::vector<float> values = reader_.take_floats(path, shape_of(variable), owner);
        if (!std::ranges::all_of(values, [](float value) { return std::isfinite(value); }))
            throw Error("'" + name_ + "': the weights of " + owner + " (" + path +
                        ") hold what is no number, as a training that diverged leaves it; open an earlier state.");
        std::vector<float>& whole = arrays[variable.parameter].values;
        if (variable.expert)
            std::ranges::copy(values, whole.begin() + std::ptrdiff_t(*variable.expert * values.size()));
        else
            whole = std::move(values);
    }

    // --- which variables there are, in the order of model.trainable_variables ---

    // The order of the layers that have any, and of each layer's own.
    std::vector<Variable> in_order(const std::map<std::size_t, std::vector<Variable>>& of_layer) const {
        std::vector<Variable> variables;
        for (const std::size_t node : model_.graph.order())
            if (const auto found = of_layer.find(node); found != of_layer.end())
                variables.insert(variables.end(), found->second.begin(), found->second.end());
        return variables;
    }

    static std::vector<Variable> kernel_and_bias(const std::string& group, std::size_t kernel,
                                                 std::optional<std::size_t> expert = {}) {
        return {{group + "/vars/0", kernel, expert}, {group + "/vars/1", kernel + 1, expert}};
    }

    std::vector<Variable> archive_variables() {
        return model_.of_classes ? archive_class_variables(true) : model_.variables();
    }

    // The tutorial's layer: its gate and its list of experts, under whatever attributes they were put.
    void find_parts() {
        const std::string root = model_.graph.groups()[model_.experts];
        for (const char* attribute : {"experts", "expert_networks", "expert_layers"})
            if (const std::string group = root + "/" + attribute; reader_.exists(group + "/sequential"))
                experts_group_ = group;
        for (const char* attribute : {"gating", "gating_network", "gate", "gate_network", "router"})
            for (const char* part : {"/dense", "/gate", ""})
                if (const std::string group = root + "/" + attribute + part;
                    gate_group_.empty() && reader_.exists(group + "/vars/0"))
                    gate_group_ = group;
        if (experts_group_.empty()) refuse_mixture("has no list of experts in its weights (" + root + "/experts)");
        if (gate_group_.empty()) refuse_mixture("has no gate in its weights (" + root + "/gating)");
        if (reader_.links(root) - (reader_.exists(root + "/vars") ? 1 : 0) != 2)
            refuse_mixture("has further parts beside its gate and its experts, and its code is not in the file");
        std::size_t experts = 0;
        while (experts <= max_experts && reader_.exists(expert_group(experts))) ++experts;
        const std::string first = expert_group(0) + "/dense/vars/0";
        for (std::size_t e = 0; e < experts; ++e)
            if (reader_.links(expert_group(e)) != 2 || !reader_.exists(expert_group(e) + "/dense_1"))
                refuse_mixture("has experts that are not two Dense layers (" + expert_group(e) + ")");
        set_sizes(experts, reader_.shape(first, "the layer '" + mixture().name + "'"));
    }

    std::string expert_group(std::size_t expert) const {
        return experts_group_ + "/" + numbered("sequential", expert) + "/layers";
    }

    void set_sizes(std::size_t experts, const std::vector<std::size_t>& hidden_kernel) {
        if (experts < 1 || experts > max_experts)
            refuse_mixture("has a number of experts outside of 1 to " + with_commas(max_experts));
        if (hidden_kernel.size() != 2 || hidden_kernel[1] < 1 || hidden_kernel[1] > largest_width)
            refuse_mixture("has experts whose hidden width is outside of 1 to " + with_commas(largest_width));
        model_.spec.num_experts = experts;
        model_.spec.hidden_dim = hidden_kernel[1];
    }

    std::vector<Variable> archive_class_variables(bool gate_first) {
        if (gate_group_.empty()) find_parts();
        const std::vector<std::string> groups = model_.graph.groups();
        std::vector<Variable> parts, gate = kernel_and_bias(gate_group_, 1);
        for (std::size_t e = 0; e < model_.spec.num_experts; ++e)
            for (const auto& [layer, kernel] : {std::pair("/dense", 3), std::pair("/dense_1", 5)})
                for (Variable& variable : kernel_and_bias(expert_group(e) + layer, std::size_t(kernel), e))
                    parts.push_back(std::move(variable));
        parts.insert(gate_first ? parts.begin() : parts.end(), gate.begin(), gate.end());
        return in_order({{model_.embedding, {{groups[model_.embedding] + "/vars/0", 0}}},
                         {model_.experts, std::move(parts)},
                         {model_.head, kernel_and_bias(groups[model_.head], 7)}});
    }

    std::vector<std::string> legacy_names(std::size_t node, std::size_t count) const {
        const std::string group = "model_weights/" + model_.graph.nodes[node].name;
        std::vector<std::string> paths = reader_.texts(group, "weight_names");
        if (count != 0 && paths.size() != count)
            throw Error("'" + name_ + "': the layer '" + model_.graph.nodes[node].name + "' has " +
                        with_commas(paths.size()) + " arrays of weights, but " + with_commas(count) +
                        " belong to it; save the model again.");
        for (std::string& path : paths) path = group + "/" + path;
        return paths;
    }

    std::vector<Variable> legacy_variables() {
        const auto two = [&](std::size_t node, std::size_t kernel) {
            const std::vector<std::string> paths = legacy_names(node, 2);
            return std::vector<Variable>{{paths[0], kernel}, {paths[1], kernel + 1}};
        };
        std::map<std::size_t, std::vector<Variable>> of_layer;
        of_layer[model_.embedding] = {{legacy_names(model_.embedding, 1)[0], 0}};
        if (model_.of_classes) {
            of_layer[model_.experts] = legacy_class_variables();
        } else {
            of_layer[model_.gate] = two(model_.gate, 1);
            of_layer[model_.hidden] = two(model_.hidden, 3);
            of_layer[model_.experts] = two(model_.experts, 5);
        }
        of_layer[model_.head] = two(model_.head, 7);
        return in_order(of_layer);
    }

    // In the order of the layer's own variables; an expert's names have its "sequential" in them.
    std::vector<Variable> legacy_class_variables() {
        std::vector<Variable> variables;
        std::size_t of_gate = 0, of_experts = 0;
        for (const std::string& path : legacy_names(model_.experts, 0)) {
            if (path.find("/sequential") == std::string::npos)
                variables.push_back({path, 1 + of_gate++});
            else
                variables.push_back({path, 3 + of_experts % 4, of_experts / 4}), ++of_experts;
        }
        if (of_gate != 2 || of_experts == 0 || of_experts % 4 != 0)
            refuse_mixture("does not have the weights of a gate and of experts of two Dense layers");
        const auto first = std::ranges::find(variables, std::size_t(3), &Variable::parameter);
        set_sizes(of_experts / 4, reader_.shape(first->path, "the layer '" + mixture().name + "'"));
        return variables;
    }

    // --- what the settings of the tutorial's layer say ---

    void check_settings() {
        const ModelSpec& spec = model_.spec;
        for (const auto& [key, value] : model_.class_settings) {
            const bool top = key == "k" || key.find("top") != std::string::npos;
            if (top && value != spec.num_experts)
                refuse_mixture("chooses some of its experts (" + key + " = " + with_commas(value) +
                               "), and how it does stands in code that is not in the file");
            const bool counts = key.find("num") != std::string::npos && key.find("expert") != std::string::npos;
            if (counts ? value != spec.num_experts
                       : value != spec.num_experts && value != spec.hidden_dim && value != spec.embedding_dim)
                refuse_mixture("has the setting " + key.substr(0, 60) + " = " + with_commas(value) +
                               ", but weights of " + with_commas(spec.num_experts) + " experts of widths " +
                               with_commas(spec.embedding_dim) + " and " + with_commas(spec.hidden_dim));
        }
        if (model_.gate_first) return;  // a file of this program's
        const std::string activation(activation_named(spec.activation).title);
        remarks_.push_back("The code of the layer '" + mixture().name +
                           "' is not in the file; it is taken to be the tutorial's: experts with " +
                           (spec.activation == "linear" ? "no activation" : activation) +
                           ", and a softmax gate that mixes all of them.");
    }

    // --- the optimizer ---

    void read_step(const std::string& iteration, const std::string& rate) {
        const std::int64_t step = reader_.integer(iteration, "the optimizer's step");
        if (step < 0) throw Error("'" + name_ + "': its optimizer is at a step below 0.");
        state_.step = std::uint64_t(step);
        if (rate.empty() || !reader_.exists(rate)) return;
        const double value = double(reader_.take_floats(rate, {}, "the optimizer")[0]);
        if (std::isfinite(value) && value >= 0) state_.experiment.train.learning_rate = shortest_decimal(value);
    }

    // `path` is of the moments alone: each variable's momentum, then its velocity.
    void read_moments(const std::vector<Variable>& variables, const std::function<std::string(std::size_t)>& path) {
        state_.momentum = allocated();
        state_.velocity = allocated();
        for (std::size_t k = 0; k < variables.size(); ++k) {
            fill(state_.momentum, variables[k], path(2 * k), "the optimizer for ");
            fill(state_.velocity, variables[k], path(2 * k + 1), "the optimizer for ");
        }
    }

    // A learning rate that follows a schedule is no variable.
    std::size_t before_moments() const { return model_.schedule.empty() ? 2 : 1; }

    static std::string archive_path(std::size_t number) { return "optimizer/vars/" + std::to_string(number); }
    std::string moment_path(std::size_t number) const { return archive_path(before_moments() + number); }

    void read_archive_optimizer(std::vector<Variable> variables) {
        if (!reader_.exists(archive_path(0))) return;
        read_step(archive_path(0), model_.schedule.empty() ? archive_path(1) : "");
        if (!reader_.exists(moment_path(0))) return;
        if (model_.of_classes) {
            const std::optional<bool> gate_first = model_.gate_first ? model_.gate_first : gate_comes_first();
            if (!gate_first) {
                remarks_.push_back(
                    "The optimizer's memory in '" + name_ +
                    "' could belong to the gate or to the first expert, so training goes on without it.");
                return;
            }
            variables = archive_class_variables(*gate_first);
        }
        read_moments(variables, [&](std::size_t number) { return moment_path(number); });
    }

    // The class's own code says whether the gate's variables or the experts' come first. The optimizer's shapes show it
    // where the gate's kernel is of another size than an expert's, else the counters in the names that Keras gave.
    std::optional<bool> gate_comes_first() const {
        const auto is = [&](std::size_t number, const Variable& variable) {  // the number-th of the layer's variables
            const std::string path = moment_path(2 * (1 + number));          // the embedding's comes before
            return reader_.exists(path) && reader_.shape(path, "the optimizer") == shape_of(variable);
        };
        const std::size_t experts = 4 * model_.spec.num_experts;
        const auto fit = [&](std::size_t gate, std::size_t expert) {
            return is(gate, {"", 1}) && is(gate + 1, {"", 2}) && is(expert, {"", 3, 0}) && is(expert + 1, {"", 4, 0}) &&
                   is(expert + 2, {"", 5, 0});
        };
        const std::array<bool, 2> fits = {fit(experts, 0), fit(0, 2)};
        if (fits[0] != fits[1]) return fits[1];
        const auto number = [&](const std::string& group) {
            return counter_of(reader_.text(group + "/vars", "name").value_or(""), "dense");
        };
        const std::optional<std::size_t> gate = number(gate_group_), expert = number(expert_group(0) + "/dense");
        if (!gate || !expert || *gate == *expert) return {};
        return *gate < *expert;
    }

    void read_legacy_optimizer(const std::vector<Variable>& variables) {
        std::vector<std::string> paths = reader_.texts("optimizer_weights", "weight_names");
        const std::size_t before = before_moments();
        if (paths.size() < before || !paths[0].ends_with("iteration") ||
            (before == 2 && !paths[1].ends_with("learning_rate")))
            return;
        for (std::string& path : paths) path = "optimizer_weights/" + path;
        read_step(paths[0], before == 2 ? paths[1] : "");
        if (paths.size() == before) return;
        if (paths.size() != before + 2 * variables.size())
            throw Error("'" + name_ + "': its optimizer holds " + with_commas(paths.size()) + " arrays, but Adam has " +
                        with_commas(before + 2 * variables.size()) + " for this model; save the model again.");
        read_moments(variables, [&](std::size_t number) { return paths[before + number]; });
    }

    Hdf5Reader& reader_;
    const std::string& name_;
    KerasModel& model_;
    RunState& state_;
    std::vector<NamedArray> expected_;  // names and shapes
    std::string gate_group_, experts_group_;
    std::vector<std::string> remarks_;
};

}  // namespace

double shortest_decimal(double value) {
    double decimal = value;
    if (double(float(value)) == value) parse_number(to_text(float(value)), decimal);
    return decimal;
}

std::vector<std::string> read_archive_weights(Hdf5Reader& weights, const std::string& name, KerasModel& model,
                                              RunState& state) {
    return WeightsReader(weights, name, model, state).read(false);
}

std::vector<std::string> read_legacy_weights(Hdf5Reader& weights, const std::string& name, KerasModel& model,
                                             RunState& state) {
    return WeightsReader(weights, name, model, state).read(true);
}

}  // namespace moe
