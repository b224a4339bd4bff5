#include "engine/routing/router.h"

#include "engine/core/error.h"
#include "engine/routing/soft.h"
#include "engine/routing/top_k.h"

#include <array>
#include <string>
#include <type_traits>

namespace moe {

namespace {

template <template <class> class R, class T>
std::unique_ptr<Router<T>> make(Backend<T>& backend, const ModelSpec& spec, std::size_t max_examples) {
    return std::make_unique<R<T>>(backend, spec, max_examples);
}

constexpr std::array all_routers = {
    RouterInfo{"soft", "soft", "g = softmax(z), every expert runs (Jacobs 1991)", false, make<SoftRouter, float>,
               make<SoftRouter, double>},
    RouterInfo{"top_k", "top-k", "g = softmax over the K largest z (Mixtral 2024)", true, make<TopKRouter, float>,
               make<TopKRouter, double>},
};

}  // namespace

std::span<const RouterInfo> routers() {
    return all_routers;
}

template <class T>
std::unique_ptr<Router<T>> make_router(Backend<T>& backend, const ModelSpec& spec, std::size_t max_examples) {
    for (const RouterInfo& info : all_routers) {
        if (info.id != spec.router) continue;
        if constexpr (std::is_same_v<T, double>)
            return info.make_double(backend, spec, max_examples);
        else
            return info.make_float(backend, spec, max_examples);
    }
    throw Error("There is no router '" + spec.router + "'.");
}

template std::unique_ptr<Router<float>> make_router(Backend<float>&, const ModelSpec&, std::size_t);
template std::unique_ptr<Router<double>> make_router(Backend<double>&, const ModelSpec&, std::size_t);

}  // namespace moe
