#pragma once
#include "app/models/theme.h"

#include <QFrame>

class QLabel;
class QScrollArea;
class QStackedLayout;

namespace moe {
class Corpus;
struct Snapshot;
}  // namespace moe

namespace moe::app {

class ExperimentEditor;
class ExperimentPanel;
class LessonPanel;

/// Lesson above, what the run has to say below it, the experiment at the foot; or the experiment's editor in their
/// place.
class LeftColumn : public QFrame {
    Q_OBJECT

public:
    explicit LeftColumn(QWidget* parent);

    LessonPanel* lesson() const { return lesson_; }
    ExperimentPanel* experiment() const { return experiment_; }
    ExperimentEditor* editor() const { return editor_; }
    void setTheme(const Theme& theme);
    void showEditor(bool on);
    bool showsEditor() const;
    /// Where no lesson runs: what the text or file is called, and what is known of it. An empty name hides it.
    void showRun(const QString& name, const Corpus* corpus, const Snapshot& snapshot);

Q_SIGNALS:
    void lessonAsked();  // back from one's own text

private:
    QStackedLayout* pages_;
    QScrollArea *lesson_scroll_, *editor_scroll_;
    LessonPanel* lesson_;
    ExperimentPanel* experiment_;
    ExperimentEditor* editor_;
    QWidget* run_;
    QLabel *run_name_, *run_facts_;
};

}  // namespace moe::app
