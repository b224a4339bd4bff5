#pragma once
#include "engine/core/spec.h"

#include <QString>
#include <QStringList>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace moe::app {

/// A question before the answer. What is right is measured in the running model when the learner answers, unless the
/// lesson says which option it is.
struct Guess {
    enum class Kind { expert, word, choice };
    enum class Answer { gate, load, next_word, option };

    QString prompt;
    Kind kind = Kind::expert;  // expert: one button an expert; word and choice: the options below
    QStringList options;       // word: words of the corpus; choice: sentences
    Answer answer =
        Answer::gate;       // gate: weights of the step's phrase; load: shares of gate weight; next_word: probabilities
    int right_option = -1;  // of `options`, where answer is `option`
    QString afterwards;     // shown below the reveal; may be empty
};

/// A button that the text offers.
struct LessonAction {
    enum class Kind { play, pause, batch, epochs, reset, set, probe, speed, measure };

    Kind kind = Kind::play;
    QString label;
    double number = 0;                                          // epochs, speed
    QString text;                                               // probe
    std::vector<std::pair<std::string, std::string>> settings;  // set: keys of engine/core/settings.h
};

struct LessonStep {
    QString title;     // the driving question, plain
    QString text;      // Markdown: paragraphs, lists, **strong**, *emphasis*, `code`, ![name](picture.png)
    QString phrase;    // probe text of this step; empty: stays as it is
    int focus = -1;    // prefix of the phrase that is looked at, from 0; -1: stays
    QStringList look;  // ids of views that the text speaks of
    std::optional<Guess> guess;
    std::vector<LessonAction> actions;
};

/// A lesson as its folder holds it: data, no code.
struct Lesson {
    QString id;        // the folder's name: "01-meet-the-mixture"
    QString title;     // "Meet the mixture"
    QString question;  // the driving question of the whole lesson
    QString folder;    // where its pictures and its corpus are; may be inside the program (":/lessons/...")
    QString corpus;    // file in that folder
    Experiment experiment;
    double speed = 0;  // steps per second at the start; 0: as fast as it goes
    QString probe;     // probe text at the start
    int focus = 0;
    QStringList phrases;  // worth trying
    std::vector<LessonStep> steps;
};

}  // namespace moe::app
