#pragma once
#include "engine/core/family.h"
#include "engine/routing/router.h"
#include "tests/support/small_corpus.h"

#include <malloc.h>
#include <vector>

namespace moe::test {

/// Every family and router with so many words, or so many experts, that these are what memory is taken for.
inline std::vector<Experiment> large_experiments() {
    std::vector<Experiment> all;
    for (const FamilyInfo& family : families)
        for (const RouterInfo& router : routers())
            for (const bool many_words : {true, false}) {
                Experiment& x = all.emplace_back(tutorial_experiment());
                x.model.family = family.id;
                x.model.router = router.id;
                if (many_words)
                    x.model.vocabulary = 20'000, x.train.batch_size = 64;
                else
                    x.model.num_experts = 300, x.train.batch_size = 200;
            }
    return all;
}

#if defined(__GLIBC__)
/// Bytes of this process's heap, blocks with pages of their own among them.
inline std::size_t heap_in_use() {
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}
#endif

}  // namespace moe::test
