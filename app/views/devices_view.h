#pragma once
#include "app/models/device_contest.h"
#include "app/views/view.h"

#include <QTimer>

class QGridLayout;
class QLabel;
class QProgressBar;
class QPushButton;

namespace moe::app {

class RaceChart;

/// Who is faster, processor or GPU, and from which size of the model on: a guess, then the measurement of this very
/// model made wider and wider on each of them.
class DevicesView : public View {
    Q_OBJECT

public:
    DevicesView(SessionController& session, QWidget* parent);
    ~DevicesView() override;

    QString title() const override { return tr("Devices"); }
    QString scope() const override;
    Table table() const override;
    QWidget& picture() override;
    std::optional<PictureNotes> pictureNotes() const override;
    QSize sizeHint() const override { return {260, 420}; }

    /// Pauses training and begins, unless it is measuring already.
    void measure();
    void stop();
    /// Fewer and smaller ones than race_widths() where a test is in a hurry.
    void setWidths(std::vector<std::size_t> widths) { widths_ = std::move(widths); }
    bool measuring() const { return contest_.state().running; }
    const DeviceContest& contest() const { return contest_; }

    void guess(int choice);
    const std::vector<QPushButton*>& choices() const { return choices_; }
    QString said() const;  // below the picture

protected:
    void themeChanged() override;
    void showEvent(QShowEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

private:
    void poll();
    void ask();
    void placeChoices();
    void refresh();
    void showReading();  // asks the session nothing: the keys leave when a window goes, too
    void followLive();
    void forget();
    /// But for the width, which is what a measurement changes, and for how long it trains.
    static bool sameModel(Experiment a, const Experiment& b);
    bool ofThisModel() const;
    /// -1 as well where the guess is of another model than what was measured.
    int validGuess() const { return of_another_ ? -1 : guess_; }
    QStringList results() const;
    static QString whatText(const Experiment& experiment);

    RaceChart* chart_;
    QLabel *prompt_, *reading_, *said_, *done_;
    QGridLayout* grid_;
    QProgressBar* progress_;
    QPushButton *measure_, *again_;
    std::vector<QPushButton*> choices_;
    QTimer clock_;
    std::vector<std::size_t> widths_ = race_widths();
    DeviceContest contest_, before_;
    QString before_what_;                      // of which model that one was
    std::optional<ContestQuestion> question_;  // none while it is not known which devices there are
    int guess_ = -1;
    Experiment guessed_;       // the model that the guess is of
    bool of_another_ = false;  // than the one measured
    int columns_ = 0;
    Experiment measured_;     // what the results are of
    bool rested_ = false;     // training has paused since the measurement was asked for
    QString remark_, scope_;  // as the header shows it
    DeviceRace race_;         // last: it ends before anything that hears of it
};

}  // namespace moe::app
