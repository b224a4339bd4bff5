// The update's page: Adam as Keras has it, for every parameter and for one number.
#include "app/models/operation_reader.h"
#include "app/models/text_format.h"

#include <algorithm>

namespace moe::app {

namespace {

using Kind = OperationColumn::Kind;
constexpr double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7;  // Keras's defaults: engine/core/spec.h

const NamedArray* named(const std::vector<NamedArray>& arrays, const std::string& name) {
    const auto found = std::ranges::find(arrays, name, &NamedArray::name);
    return found == arrays.end() ? nullptr : &*found;
}

QString shapeText(const NamedArray& array) {
    QString shape = QString::number(array.shape[0]);
    for (std::size_t i = 1; i < 3; ++i)
        if (array.shape[i] > 1 || (i == 1 && array.shape[2] > 1))
            shape += formula(" × ") + QString::number(array.shape[i]);
    return shape;
}

}  // namespace

// Of the columns of the experts that this example went to.
std::size_t PageBuilder::largestOfTheGate(Values kernel) const {
    std::size_t best = expertOf(0);
    for (std::size_t i = 0; i < kernel.size(); ++i)
        if ((soft_ || visitOf(i % E_) < K_) && std::abs(kernel[i]) > std::abs(at(kernel, best))) best = i;
    return best;
}

void PageBuilder::adam() {
    page_.question = tr("Which numbers of the model move, and how far?");
    page_.formula = formula("m ← m + ( g − m ) · .1     v ← v + ( g^{2} − v ) · .001     w ← w − r · m / ( √v + ε )");
    page_.shapes = tr("whole batch · %1 parameters").arg(countText([&] {
        std::size_t all = 0;
        for (const NamedArray& a : t_.gradients) all += a.values.size();
        return all;
    }()));
    page_.heading = tr("parameter");
    page_.columns = {{QString(), Kind::words}, {formula("|w|")}, {formula("|g|")},      {formula("|m|")},
                     {formula("|v|")},         {tr("|step|")},   {QString(), Kind::bar}};
    // The number that was picked, by its name without what it is of ("new_m:gate/kernel"); else the largest gradient.
    std::string name = "gate/kernel";
    std::optional<std::size_t> index;
    if (picked_) {
        const std::size_t colon = picked_->name.find(':');
        const std::string bare = colon == std::string::npos ? picked_->name : picked_->name.substr(colon + 1);
        if (const NamedArray* a = t_.gradient(bare); a && picked_->index < a->values.size())
            name = bare, index = picked_->index;
    }
    if (!index) {
        const NamedArray* g = t_.gradient(name);
        if (g) index = largestOfTheGate(g->values);
        if (!g || at(g->values, *index) == 0)
            if (const NamedArray* head = t_.gradient("head/kernel"))
                g = head, name = "head/kernel", index = largest(g->values);
        if (!g) index = 0;
    }
    double most = 0, largest_step = 0;
    std::size_t still = 0, numbers = 0;
    std::vector<double> steps;
    for (const NamedArray& g : t_.gradients) {
        const NamedArray *w = t_.parameter(g.name), *next = named(t_.new_parameters, g.name);
        double sum = 0;
        for (std::size_t i = 0; w && next && i < next->values.size(); ++i) {
            const double step = double(next->values[i]) - double(w->values[i]);
            sum += step * step;
            largest_step = std::max(largest_step, std::abs(step));
            still += step == 0;
            ++numbers;
        }
        steps.push_back(std::sqrt(sum));
        most = std::max(most, steps.back());
    }
    for (std::size_t i = 0; i < t_.gradients.size(); ++i) {
        const NamedArray& g = t_.gradients[i];
        const NamedArray *w = t_.parameter(g.name), *m = named(t_.new_momentum, g.name),
                         *v = named(t_.new_velocity, g.name);
        const auto length = [&](const NamedArray* a, const char* prefix) {
            // A click picks the parameter's strongest number.
            OperationCell c =
                number(a ? lengthOf(a->values) : std::nan(""), parameterRef(prefix + g.name, largest(g.values)));
            return c;
        };
        OperationRow r;
        r.label = QString::fromStdString(g.name);
        r.cells = {plain(shapeText(g)), length(w, ""),
                   length(&g, "d:"),    length(m, "new_m:"),
                   length(v, "new_v:"), number(steps[i], parameterRef("new:" + g.name, largest(g.values))),
                   bar(steps[i], most)};
        r.cells[2].gradient = true;
        r.cells[5].strong = true;
        r.current = g.name == name;
        page_.rows.push_back(std::move(r));
    }
    const NamedArray *w = t_.parameter(name), *g = t_.gradient(name), *next = named(t_.new_parameters, name),
                     *m1 = named(t_.new_momentum, name), *v1 = named(t_.new_velocity, name);
    const NamedArray *m0 = t_.state ? named(t_.state->momentum, name) : nullptr,
                     *v0 = t_.state ? named(t_.state->velocity, name) : nullptr;
    const auto of = [&](const NamedArray* a) { return a ? at(a->values, *index) : 0.0; };
    const double rate = double(t_.rate), gradient = of(g), m = of(m0) + (gradient - of(m0)) * (1 - beta1),
                 v = of(v0) + (t_.squared_gradient(name, *index) - of(v0)) * (1 - beta2),
                 after = of(w) - rate * m / (std::sqrt(v) + epsilon);
    const QString t = QString::number(t_.step + 1);
    const auto oneMinus = [&](const char* base, double beta) {
        return Shown::exact(1) -
               Shown::exact(formula("%1^{%2}").arg(formula(base), t), std::pow(beta, double(t_.step + 1)));
    };
    const Shown tenth = Shown::exact(formula(".1"), 1 - beta1), thousandth = Shown::exact(formula(".001"), 1 - beta2),
                old_m = Shown::number(of(m0)), old_v = Shown::number(of(v0)), g_now = Shown::gradient(gradient),
                step = Shown::number(rate) * Shown::number(of(m1)) /
                       (Shown::root(Shown::number(of(v1))) + Shown::exact(formula("1e−7"), epsilon));
    const bool places = t_.squares_places() && name == "embedding";
    const Shown squared = places ? Shown::number(t_.squared_gradient(name, *index)) : Shown::squared(g_now);
    const double moved = of(next) - of(w);
    page_.worked = {line(QStringLiteral("r"),
                         {Shown::number(t_.experiment.train.learning_rate) * Shown::root(oneMinus(".999", beta2)) /
                          oneMinus(".9", beta1)},
                         rate) +
                        formula("   t = %1").arg(t),
                    line(QStringLiteral("m"), {old_m + (g_now - old_m) * tenth}, of(m1)),
                    line(QStringLiteral("v"), {old_v + (squared - old_v) * thousandth}, of(v1)) +
                        (places ? formula("   ") + tr("from the sum of the squares of its places") : QString()),
                    line(QStringLiteral("w"),
                         {Shown::number(of(w)) - step, Shown::number(of(w)) + Shown::number(moved)}, of(next))};
    const auto parameterStrip = [&](const QString& title, const char* prefix, const NamedArray* a, bool of_gradient) {
        ValueStrip s;
        s.title = title;
        s.first = parameterRef(prefix + name, 0);
        if (a) s.values = a->values;
        s.gradient = of_gradient;
        page_.strips.push_back(s);
    };
    parameterStrip(QStringLiteral("w"), "", w, false);
    parameterStrip(QStringLiteral("g"), "d:", g, true);
    parameterStrip(QStringLiteral("m"), "new_m:", m1, false);
    page_.notice = tr("Wherever gradients keep their sign a number moves by about the learning rate, however small its "
                      "gradient: m and v begin at 0, and r makes up for that. Longest step %1.")
                       .arg(traceText(largest_step));
    if (still) page_.notice += u' ' + tr("%1 of %2 numbers stand still.").arg(countText(still), countText(numbers));
    page_.keras = QStringLiteral("optimizer.apply_gradients(zip(gradients, model.trainable_variables))");
    finish(of(next), after, parameterRef("new:" + name, *index));
    for (OperationRow& r : page_.rows) {
        r.current = r.label == QString::fromStdString(name);
        if (r.current) r.label += QStringLiteral(" [%1]").arg(*index);  // what the formula is about
    }
}

}  // namespace moe::app
