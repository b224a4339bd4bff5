#include "engine/core/error.h"
#include "engine/core/family.h"
#include "engine/routing/router.h"
#include "engine/verify/verify.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

using namespace moe;

namespace {

std::size_t rows_with(const std::vector<VerifyRow>& rows, const std::string& part) {
    const auto has = [&](const VerifyRow& row) { return row.name.find(part) != std::string::npos; };
    return std::size_t(std::count_if(rows.begin(), rows.end(), has));
}

}  // namespace

TEST_CASE("every op's and every small model's gradient agrees with differences in double to 1e-8") {
    std::size_t reported = 0;
    const std::vector<VerifyRow> rows = verify_gradients([&](const VerifyRow&) { ++reported; });
    CHECK(reported == rows.size());
    std::set<std::string> names;
    for (const VerifyRow& row : rows) {
        CAPTURE(row.name);
        CAPTURE(row.worst);
        CAPTURE(row.detail);
        CHECK(names.insert(row.name).second);
        CHECK(row.bound == 1e-8);
        CHECK(row.ok);
    }
    for (const RouterInfo& router : routers()) {
        for (const FamilyInfo& family : families) {
            const std::string name = "model: " + (family.routes_tokens ? std::string(family.id) + ", " : "");
            CHECK(rows_with(rows, name + std::string(router.id)) >= 4);  // with, without mask and balance loss
        }
    }
    for (const ActivationInfo& activation : activations) {
        CHECK(names.count("activate " + std::string(activation.name)) == 1);
        for (const char* model :
             {"model: soft, ", "model: top_k, 2 of 4, ", "model: token, soft, ", "model: token, top_k, 2 of 4, "})
            CHECK(names.count(model + std::string(activation.name)) == (activation.id != Activation::relu));
    }
    CHECK(rows_with(rows, "mask") >= 5);
    CHECK(rows_with(rows, "balance") >= 5);
    for (const char* op :
         {"embedding_mean", "mean_tokens", "mean_tokens masked", "balance_loss masked", "dense", "grouped_dense",
          "activate relu", "softmax", "select", "gather_rows", "combine", "balance_loss", "softmax_cross_entropy"})
        CHECK(rows_with(rows, op) >= 1);
}
