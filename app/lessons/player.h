#pragma once
#include "app/lessons/lesson.h"
#include "engine/session/snapshot.h"

#include <QCoreApplication>
#include <QString>

#include <optional>
#include <vector>

namespace moe::app {

/// Where the learner is in a lesson and what was guessed: a state machine without a window.
class LessonPlayer {
    Q_DECLARE_TR_FUNCTIONS(moe::app::LessonPlayer)

public:
    LessonPlayer() = default;
    explicit LessonPlayer(const Lesson* lesson);  // kept by the caller; null: no lesson
    /// As it was left: what does not fit the lesson is left out.
    LessonPlayer(const Lesson* lesson, std::size_t index, const std::vector<std::optional<int>>& guesses);

    const Lesson* lesson() const { return lesson_; }
    std::size_t count() const { return lesson_ ? lesson_->steps.size() : 0; }
    std::size_t index() const { return index_; }
    const LessonStep* step() const { return lesson_ ? &lesson_->steps[index_] : nullptr; }

    bool canGoBack() const { return index_ > 0; }
    bool canGoOn() const { return index_ + 1 < count(); }
    bool goOn();
    bool goBack();

    /// The options of this step's guess; experts by name, "A" to "Z" where they are many, in groups where more.
    QStringList options(const Snapshot& snapshot) const;
    /// What was guessed at this step: the option, or the first expert of one; it may be changed as long as the learner
    /// likes.
    std::optional<int> guessed() const { return guesses_.empty() ? std::nullopt : guesses_[index_]; }
    void guess(int option, const Snapshot& snapshot);
    std::optional<int> guessedOption(const Snapshot& snapshot) const;
    /// A guess at a group of experts is none at one of them.
    void expertsChanged(std::size_t before, std::size_t now);
    const std::vector<std::optional<int>>& guesses() const { return guesses_; }

    /// "You said B. It has 44 %.": what was said, and what the running model says to it. Empty before the guess.
    QString reveal(const Snapshot& snapshot) const;

private:
    QString revealExpert(const std::vector<float>& shares, std::size_t said) const;

    const Lesson* lesson_ = nullptr;
    std::size_t index_ = 0;
    std::vector<std::optional<int>> guesses_;  // (steps)
};

}  // namespace moe::app
