#include "app/lessons/player.h"

#include "app/models/text_format.h"
#include "app/models/theme.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace moe::app {

namespace {

constexpr std::size_t named_in_full = 8, one_by_one = 26, groups = 8;

/// How many experts are one option: more than the alphabet has letters nobody picks from.
std::size_t expertsTogether(std::size_t experts) {
    return experts <= one_by_one ? 1 : (experts + groups - 1) / groups;
}

/// As the pictures round it, without its sign.
QString percent(float share) {
    return percentText(double(share)).chopped(2);
}

QString groupName(std::size_t first, std::size_t last) {
    return first == last ? expertName(first) : QStringLiteral("%1\u2013%2").arg(expertName(first), expertName(last));
}

/// The experts, the first and the last, of the option that `said` is of.
std::pair<std::size_t, std::size_t> saidExperts(std::size_t said, std::size_t experts) {
    const std::size_t together = expertsTogether(experts), first = said / together * together;
    return {first, std::min(experts, first + together) - 1};
}

QString saidName(std::size_t said, std::size_t experts) {
    const auto [first, last] = saidExperts(said, experts);
    return groupName(first, last);
}

}  // namespace

LessonPlayer::LessonPlayer(const Lesson* lesson) : lesson_(lesson), guesses_(lesson ? lesson->steps.size() : 0) {}

LessonPlayer::LessonPlayer(const Lesson* lesson, std::size_t index, const std::vector<std::optional<int>>& guesses)
    : LessonPlayer(lesson) {
    if (index < count()) index_ = index;
    for (std::size_t i = 0; i < std::min(guesses.size(), count()); ++i) {
        const std::optional<Guess>& asked = lesson->steps[i].guess;
        if (!asked || !guesses[i] || *guesses[i] < 0) continue;
        const bool there = asked->kind == Guess::Kind::expert || *guesses[i] < int(asked->options.size());
        if (there) guesses_[i] = guesses[i];
    }
}

bool LessonPlayer::goOn() {
    if (!canGoOn()) return false;
    ++index_;
    return true;
}

bool LessonPlayer::goBack() {
    if (!canGoBack()) return false;
    --index_;
    return true;
}

QStringList LessonPlayer::options(const Snapshot& snapshot) const {
    if (!step() || !step()->guess) return {};
    if (step()->guess->kind != Guess::Kind::expert) return step()->guess->options;
    const std::size_t experts = snapshot.experiment.model.num_experts, together = expertsTogether(experts);
    QStringList names;
    for (std::size_t e = 0; e < experts; e += together)
        names << (experts <= named_in_full ? tr("Expert %1").arg(expertName(e))
                                           : groupName(e, std::min(experts, e + together) - 1));
    return names;
}

void LessonPlayer::guess(int option, const Snapshot& snapshot) {
    if (!step() || !step()->guess || option < 0) return;
    const bool expert = step()->guess->kind == Guess::Kind::expert;
    guesses_[index_] = expert ? option * int(expertsTogether(snapshot.experiment.model.num_experts)) : option;
}

std::optional<int> LessonPlayer::guessedOption(const Snapshot& snapshot) const {
    if (!guessed() || step()->guess->kind != Guess::Kind::expert) return guessed();
    return *guessed() / int(expertsTogether(snapshot.experiment.model.num_experts));
}

QString LessonPlayer::revealExpert(const std::vector<float>& shares, std::size_t said) const {
    if (said >= shares.size()) return {};
    const auto [first, last] = saidExperts(said, shares.size());
    const std::size_t best = std::size_t(std::max_element(shares.begin(), shares.end()) - shares.begin());
    const QString most = tr("%1 has the most: %2 %.").arg(expertName(best), percent(shares[best]));
    if (last > first) {
        const float all =
            std::accumulate(shares.begin() + std::ptrdiff_t(first), shares.begin() + std::ptrdiff_t(last + 1), 0.f);
        return tr("You said %1. Together they have %2 %.").arg(groupName(first, last), percent(all)) + u' ' + most;
    }
    return tr("You said %1. It has %2 %.").arg(expertName(first), percent(shares[first])) + u' ' +
           (shares[first] >= shares[best] ? tr("No other has more.") : most);
}

void LessonPlayer::expertsChanged(std::size_t before, std::size_t now) {
    if (expertsTogether(before) <= expertsTogether(now)) return;
    for (std::size_t i = 0; i < count(); ++i)
        if (lesson_->steps[i].guess && lesson_->steps[i].guess->kind == Guess::Kind::expert) guesses_[i].reset();
}

QString LessonPlayer::reveal(const Snapshot& snapshot) const {
    if (!guessed() || !step() || !step()->guess) return {};
    const Guess& guess = *step()->guess;
    const std::size_t said = std::size_t(*guessed()), experts = snapshot.experiment.model.num_experts;
    switch (guess.answer) {
        case Guess::Answer::gate: {
            const std::size_t focus = snapshot.probe.focus;
            const std::vector<float>& all = snapshot.probe.gate_weights;
            if ((focus + 1) * experts > all.size()) return tr("The probe text has no word that the model knows.");
            return revealExpert(
                {all.begin() + std::ptrdiff_t(focus * experts), all.begin() + std::ptrdiff_t((focus + 1) * experts)},
                said);
        }
        case Guess::Answer::load:
            if (snapshot.load.size() != experts)
                return said < experts
                           ? tr("You said %1. Train first: nothing has run yet.").arg(saidName(said, experts))
                           : QString();
            return revealExpert(snapshot.load, said);
        case Guess::Answer::next_word: {
            const QString word = guess.options.value(int(said));
            const auto& top = snapshot.probe.focused.top;
            if (top.empty()) return tr("The probe text has no word that the model knows.");
            const auto found = std::find_if(top.begin(), top.end(), [&](const WordProbability& w) {
                return QString::fromStdString(w.word) == word;
            });
            const QString first = QString::fromStdString(top.front().word);
            const QString share = percent(top.front().probability);
            if (found == top.begin()) return tr("You said “%1”. So does the model, with %2 %.").arg(word, share);
            if (found == top.end()) return tr("You said “%1”. The model says “%2” with %3 %.").arg(word, first, share);
            return tr("You said “%1”. It has %2 %; “%3” has %4 %.")
                .arg(word, percent(found->probability), first, share);
        }
        case Guess::Answer::option:
            return int(said) == guess.right_option
                       ? tr("Yes.")
                       : tr("Not quite: “%1”.").arg(guess.options.value(guess.right_option));
    }
    return {};
}

}  // namespace moe::app
