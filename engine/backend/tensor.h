#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

namespace moe {

/// Up to three dimensions, row-major, contiguous; unused trailing dimensions are 1.
struct Shape {
    std::array<std::size_t, 3> size{1, 1, 1};
    std::size_t count() const { return size[0] * size[1] * size[2]; }
};

/// A handle to a buffer that a backend owns. Copying copies the handle, never the numbers.
/// The memory may be a GPU's: only backends call raw(); everybody else asks the backend to download().
template <class T>
class Tensor {
public:
    Tensor() = default;
    Tensor(T* memory, Shape shape) : shape_(shape), memory_(memory) {}

    const Shape& shape() const { return shape_; }
    std::size_t dim(std::size_t i) const { return shape_.size[i]; }
    std::size_t count() const { return shape_.count(); }
    T* raw() const { return memory_; }
    explicit operator bool() const { return memory_ != nullptr; }

    /// The first `n` rows: a short last batch needs no second buffer.
    Tensor first(std::size_t n) const { return rows(0, n); }
    /// Rows [begin, begin + n).
    Tensor rows(std::size_t begin, std::size_t n) const {
        Tensor t = *this;
        t.memory_ += begin * shape_.size[1] * shape_.size[2];
        t.shape_.size[0] = n;
        return t;
    }
    /// The same numbers as one column.
    Tensor column() const { return {memory_, {{count(), 1, 1}}}; }

private:
    Shape shape_;
    T* memory_ = nullptr;
};

using Ids = Tensor<std::int32_t>;

}  // namespace moe
