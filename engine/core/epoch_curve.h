#pragma once
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <vector>

namespace moe {

/// One finished epoch.
struct EpochRecord {
    double loss = 0, accuracy = 0, balance = 0;

    bool operator==(const EpochRecord&) const = default;
};

/// The finished epochs of a run, the last one always: every single one up to 16,383; beyond that of every pair the
/// later stays, and so on. So a run of any length takes at most 400 KB, and copies share all but its end. A copy each
/// thread.
class EpochCurve {
public:
    static constexpr std::size_t most = 16384;  // records

    EpochCurve() = default;
    EpochCurve(std::initializer_list<EpochRecord> records) {
        for (const EpochRecord& r : records) push_back(r);
    }
    /// From a file: record i is of epoch (i + 1) * spacing, the last one of epoch `finished`. Throws Error where that
    /// cannot be.
    static EpochCurve restored(const std::vector<EpochRecord>& records, std::uint64_t spacing, std::uint64_t finished);

    /// So that the next epochs are added without an allocation; every 256th fills a block and takes another.
    void reserve() { tail_.reserve(block); }
    /// The next finished epoch.
    void push_back(const EpochRecord& record);
    /// Forgets the epochs after the first `epochs`; `last` is the record of the last one that stays, where it is known
    /// (it may have been thinned out).
    void truncate(std::uint64_t epochs, const std::optional<EpochRecord>& last = std::nullopt);

    std::size_t size() const { return kept_ + last_.has_value(); }
    bool empty() const { return size() == 0; }
    const EpochRecord& operator[](std::size_t i) const {
        return i >= kept_ ? *last_ : i / block < blocks_.size() ? (*blocks_[i / block])[i % block] : tail_[i % block];
    }
    const EpochRecord& at(std::size_t i) const;  // throws std::out_of_range
    const EpochRecord& front() const { return (*this)[0]; }
    const EpochRecord& back() const { return (*this)[size() - 1]; }
    /// Which epoch record i is of, the first being 1.
    std::uint64_t epoch(std::size_t i) const { return i >= kept_ ? finished_ : (i + 1) * spacing_; }
    /// The last record at or before `epoch`, the first where there is none. Of a curve that is not empty.
    std::size_t index(std::uint64_t epoch) const;
    std::uint64_t spacing() const { return spacing_; }    // epochs from record to record; 1: every one is there
    std::uint64_t finished() const { return finished_; }  // how many there were

    class Iterator {
    public:
        Iterator(const EpochCurve& curve, std::size_t at) : curve_(&curve), at_(at) {}
        const EpochRecord& operator*() const { return (*curve_)[at_]; }
        Iterator& operator++() { return ++at_, *this; }
        bool operator!=(const Iterator& other) const { return at_ != other.at_; }

    private:
        const EpochCurve* curve_;
        std::size_t at_;
    };
    Iterator begin() const { return {*this, 0}; }
    Iterator end() const { return {*this, size()}; }

    bool operator==(const EpochCurve& other) const;

private:
    static constexpr std::size_t block = 256;
    using Block = std::vector<EpochRecord>;  // full

    void keep(const EpochRecord& record);
    void thin();

    std::vector<std::shared_ptr<const Block>> blocks_;
    Block tail_;
    std::size_t kept_ = 0;  // records in blocks and tail
    std::uint64_t spacing_ = 1, finished_ = 0;
    std::optional<EpochRecord> last_;  // where `finished_` is no multiple of the spacing
};

}  // namespace moe
