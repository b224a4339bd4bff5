#pragma once
#include <exception>
#include <future>
#include <memory>
#include <string>
#include <utility>

namespace moe {

/// A promise that is never broken: where nobody gives the answer before it dies, `otherwise` does. Shared by the copies
/// of one command.
template <class T>
class Promised {
public:
    explicit Promised(T otherwise) : state_(std::make_shared<State>()) { state_->otherwise = std::move(otherwise); }
    explicit Promised(std::exception_ptr otherwise) : state_(std::make_shared<State>()) {
        state_->failure = std::move(otherwise);
    }

    std::future<T> future() { return state_->promise.get_future(); }
    void set(T value) const {
        if (!std::exchange(state_->given, true)) state_->promise.set_value(std::move(value));
    }
    void fail(std::exception_ptr error) const {
        if (!std::exchange(state_->given, true)) state_->promise.set_exception(std::move(error));
    }

private:
    struct State {
        ~State() {
            if (given) return;
            if (failure)
                promise.set_exception(std::move(failure));
            else
                promise.set_value(std::move(otherwise));
        }
        std::promise<T> promise;
        T otherwise{};
        std::exception_ptr failure;
        bool given = false;
    };
    std::shared_ptr<State> state_;
};

}  // namespace moe
