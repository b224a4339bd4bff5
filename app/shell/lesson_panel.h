#pragma once
#include "app/lessons/player.h"
#include "app/models/theme.h"
#include "app/shell/background.h"

#include <QImage>
#include <QTextBrowser>
#include <QWidget>

#include <map>
#include <memory>

class QAbstractButton;
class QLabel;
class QPushButton;
class QVBoxLayout;

namespace moe::app {

/// A lesson's words: our Markdown only, pictures from the lesson's own folder only, no link is ever followed. Pictures
/// are read on another thread and appear when they are there.
class LessonText : public QTextBrowser {
    Q_OBJECT

public:
    explicit LessonText(QWidget* parent);
    void setLesson(const QString& markdown, const QString& folder);
    QVariant loadResource(int type, const QUrl& name) override;
    QSize sizeHint() const override;
    QSize minimumSizeHint() const override;

protected:
    void resizeEvent(QResizeEvent* event) override;
    void changeEvent(QEvent* event) override;
    void wheelEvent(QWheelEvent* event) override;

private:
    void fit();
    void readPictures();

    QString html_, folder_;
    std::uint64_t shown_ = 0;  // counts texts
    std::map<QString, QImage> pictures_;
    Background background_;
};

/// Where the learner is, the question, the text, a guess before the answer, what to do, and on.
class LessonPanel : public QWidget {
    Q_OBJECT

public:
    explicit LessonPanel(QWidget* parent);

    /// Kept by the caller; null: no lesson.
    void setLesson(const Lesson* lesson, bool anotherFollows);
    /// As it was left, with the phrase that guesses were about: no step is entered anew.
    void resume(LessonPlayer player, bool anotherFollows, const std::string& probe);
    const LessonPlayer& player() const { return player_; }
    void setTheme(const Theme& theme);
    /// The answer, Next and Back: the column puts them below the part that scrolls, so that nothing there moves.
    QWidget* foot() const { return foot_; }
    /// Another model: the options of a guess may be other ones.
    void setStructure(const std::shared_ptr<const Snapshot>& snapshot);
    /// The reveal follows the running model.
    void setValues(const std::shared_ptr<const Snapshot>& snapshot);
    /// Whether the run goes on, whatever moment is shown: then its play buttons say "Pause".
    void setPlaying(bool playing);
    QString revealed() const;
    bool revealSeen() const;  // all of it is on the screen

Q_SIGNALS:
    void stepEntered(const LessonStep& step);
    void actionAsked(const LessonAction& action);
    void nextLessonAsked();                // from the last step
    void guessed();

private:
    void enter();
    void rebuild();
    void showReveal();
    void showPlaying();
    void rememberQuestion();
    bool asksThis() const;  // whether the picture is of what was asked

    LessonPlayer player_;
    Theme theme_ = Theme::light();
    std::shared_ptr<const Snapshot> snapshot_ = std::make_shared<const Snapshot>();
    std::size_t experts_ = 0;
    bool another_follows_ = false, playing_ = false;
    std::string asked_phrase_;    // that the guess is about
    std::size_t asked_focus_ = 0;  // and up to which of its words
    QLabel *place_, *question_, *prompt_, *reveal_;
    QWidget *progress_, *card_, *actions_, *walk_, *foot_;
    LessonText* text_;
    QVBoxLayout *options_, *action_rows_;
    std::vector<QPushButton*> option_buttons_;
    std::vector<std::pair<QPushButton*, QString>> play_buttons_;  // with their words while nothing plays
    QPushButton *next_, *back_;
};

}  // namespace moe::app
