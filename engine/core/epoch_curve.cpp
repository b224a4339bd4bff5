#include "engine/core/epoch_curve.h"

#include "engine/core/error.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

namespace moe {

EpochCurve EpochCurve::restored(const std::vector<EpochRecord>& records, std::uint64_t spacing,
                                std::uint64_t finished) {
    const bool power = spacing > 0 && (spacing & (spacing - 1)) == 0;
    const std::uint64_t wanted = power ? finished / spacing + (finished % spacing != 0) : 0;
    if (!power || wanted != records.size())
        throw Error("The list of finished epochs is damaged: " + std::to_string(records.size()) +
                    " records cannot be " + std::to_string(finished) + " epochs, one of " + std::to_string(spacing) +
                    " kept.");
    EpochCurve curve;
    curve.spacing_ = spacing;
    for (const EpochRecord& r : records) {
        curve.finished_ = std::min(curve.finished_ + spacing, finished);
        if (curve.finished_ % spacing == 0)
            curve.keep(r);
        else
            curve.last_ = r;
    }
    return curve;
}

void EpochCurve::push_back(const EpochRecord& record) {
    ++finished_;
    last_.reset();
    if (finished_ % spacing_ != 0)
        last_ = record;
    else
        keep(record);
}

void EpochCurve::keep(const EpochRecord& record) {
    if (tail_.capacity() < block) tail_.reserve(block);
    tail_.push_back(record);
    ++kept_;
    if (tail_.size() == block) {
        blocks_.push_back(std::make_shared<const Block>(std::move(tail_)));
        tail_ = {};
    }
    if (kept_ >= most) thin();
}

// Of each pair the later stays: record i is then still of epoch (i + 1) * spacing.
void EpochCurve::thin() {
    EpochCurve half;
    half.spacing_ = 2 * spacing_;
    half.finished_ = finished_;
    for (std::size_t i = 1; i < kept_; i += 2) half.keep((*this)[i]);
    if (finished_ % half.spacing_ != 0) half.last_ = back();
    *this = std::move(half);
}

void EpochCurve::truncate(std::uint64_t epochs, const std::optional<EpochRecord>& last) {
    if (epochs >= finished_) return;
    finished_ = epochs;
    last_.reset();
    const std::size_t kept = std::size_t(epochs / spacing_);
    if (kept / block < blocks_.size()) {
        const Block& cut = *blocks_[kept / block];
        tail_.assign(cut.begin(), cut.begin() + std::ptrdiff_t(kept % block));
        blocks_.resize(kept / block);
    } else {
        tail_.resize(kept % block);
    }
    kept_ = kept;
    if (epochs % spacing_ != 0) last_ = last;
}

const EpochRecord& EpochCurve::at(std::size_t i) const {
    if (i >= size()) throw std::out_of_range("EpochCurve::at");
    return (*this)[i];
}

std::size_t EpochCurve::index(std::uint64_t epoch) const {
    if (epoch >= finished_) return size() - 1;
    return std::max<std::size_t>(std::min(std::size_t(epoch / spacing_), kept_), 1) - 1;
}

bool EpochCurve::operator==(const EpochCurve& other) const {
    if (spacing_ != other.spacing_ || finished_ != other.finished_ || size() != other.size()) return false;
    for (std::size_t i = 0; i < size(); ++i)
        if ((*this)[i] != other[i]) return false;
    return true;
}

}  // namespace moe
