#include "engine/core/settings.h"
#include "engine/core/activation.h"
#include "engine/core/error.h"
#include "engine/core/family.h"
#include "engine/core/state.h"
#include "engine/routing/router.h"

#include <doctest/doctest.h>

#include <set>

using namespace moe;

namespace {

std::string sentence(auto&& action) {
    try {
        action();
    } catch (const Error& e) {
        return e.what();
    }
    return {};
}

Experiment tutorial() {
    Experiment x;
    x.model.vocabulary = 11, x.model.max_seq_len = 4;
    return x;
}

}  // namespace

TEST_CASE("every setting reads back what it was set to, and refuses nonsense in one sentence") {
    std::set<std::string_view> keys;
    for (const Setting& s : settings()) {
        CAPTURE(s.key);
        CHECK(keys.insert(s.key).second);
        Experiment x = tutorial(), y;
        s.set(y, s.get(x));
        CHECK(s.get(y) == s.get(x));
        for (const char* bad : {"", "-1", "nan", "one", "1 ", "99999999999999999999999"}) {
            const std::string said = sentence([&] { s.set(y, bad); });
            CAPTURE(bad);
            CHECK(said.find(s.key) != std::string::npos);
            CHECK(said.find(s.range) != std::string::npos);
        }
        CHECK(s.get(y) == s.get(x));
    }
}

TEST_CASE("the router setting takes exactly the registered routers") {
    Experiment x = tutorial();
    for (const RouterInfo& router : routers()) {
        apply_setting(x, "router", router.id);
        CHECK(x.model.router == router.id);
        CHECK(find_setting("router").range.find(router.id) != std::string_view::npos);
    }
}

TEST_CASE("the family setting takes exactly the registered families") {
    Experiment x = tutorial();
    CHECK(x.model.family == "pooled");
    for (const FamilyInfo& family : families) {
        apply_setting(x, "family", family.id);
        CHECK(x.model.family == family.id);
        CHECK(family_named(family.id).title == family.title);
        CHECK(!family.title.empty());
        CHECK(!family.description.empty());
        CHECK(find_setting("family").range.find(family.id) != std::string_view::npos);
        CHECK(canonical_parameters(x.model) == canonical_parameters(tutorial().model));
    }
    CHECK(sentence([&] { apply_setting(x, "family", "transformer"); }).find("pooled or token") != std::string::npos);
    CHECK(sentence([&] { family_named("other"); }) == "There is no family of models 'other'.");
}

TEST_CASE("a model that routes tokens takes the memory of all its tokens, and is refused where that is too much") {
    Experiment x = tutorial(), y = x;
    y.model.family = "token";
    CHECK(required_bytes(y) > required_bytes(x));
    y.model.max_seq_len = 1;
    x.model.max_seq_len = 1;
    CHECK(required_bytes(y) - required_bytes(x) == 4 * 8 * 32);  // one more (B, D)
    y.model.max_seq_len = 512, y.model.num_experts = 2048, y.train.batch_size = 4096;
    CHECK(sentence([&] { validate(y, std::size_t(1) << 34); }).find("choose smaller sizes") != std::string::npos);
}

TEST_CASE("the activation setting takes exactly what the experts compute, and GELU counts the sums that it keeps") {
    Experiment x = tutorial();
    CHECK(x.model.activation == "relu");
    const std::size_t bytes = required_bytes(x);
    for (const ActivationInfo& activation : activations) {
        apply_setting(x, "activation", activation.name);
        CHECK(x.model.activation == activation.name);
        CHECK(find_setting("activation").range.find(activation.name) != std::string_view::npos);
        CHECK(required_bytes(x) == bytes + (activation.needs_sums ? 4 * 8 * 4 * 64 : 0));
    }
    CHECK(sentence([&] { apply_setting(x, "activation", "GELU"); }).find("gelu_tanh or tanh") != std::string::npos);
    x = tutorial();
    apply_setting(x, "embedding_squares", "per_occurrence");
    CHECK(required_bytes(x) == bytes + 4 * 11 * 32);
}

TEST_CASE("an unknown key is answered with the keys there are") {
    Experiment x;
    const std::string said = sentence([&] { apply_setting(x, "experts", "4"); });
    CHECK(said.find("'experts'") != std::string::npos);
    CHECK(said.find("num_experts") != std::string::npos);
}

TEST_CASE("what cannot be built is refused before anything is allocated, with its bytes") {
    Experiment x = tutorial();
    CHECK_NOTHROW(validate(x, 1 << 30));
    CHECK(parameter_count(x.model) == 17'615);  // the tutorial's own count

    x.model.router = "top_k", x.model.top_k = 5;
    CHECK(sentence([&] { validate(x, 1 << 30); }).find("top_k is 5") != std::string::npos);

    x = tutorial();
    x.model.embedding_dim = x.model.hidden_dim = 65536, x.model.num_experts = 2048;
    const std::string said = sentence([&] { validate(x, std::size_t(1) << 34); });
    CHECK(said.find("TiB") != std::string::npos);
    CHECK(said.find(" bytes)") != std::string::npos);

    x.model.vocabulary = std::size_t(1) << 62;
    CHECK_THROWS_AS(validate(x, std::size_t(1) << 34), Error);
}
