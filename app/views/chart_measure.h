#pragma once
#include "app/models/label_book.h"
#include "app/views/view.h"

#include <QElapsedTimer>
#include <QTimer>

#include <memory>
#include <optional>

namespace moe::app {

/// What the measures share: they draw from one snapshot, at most 30 times a second, and only while they can be seen.
class MeasureView : public View {
    Q_OBJECT

public:
    MeasureView(SessionController& session, QWidget* parent);

    /// Shows this snapshot from now on. The session's signals call it.
    void display(std::shared_ptr<const Snapshot> snapshot);

    /// Where the texts of the last paint stand.
    virtual QString labelFault() const { return labels_.fault(QRectF(rect())); }

protected:
    /// The snapshot, the focus or the theme is another one.
    virtual void refresh() = 0;
    /// One sentence with the numbers, for screen readers.
    virtual QString summary() const = 0;

    /// Of a moment of the past with the history as long as the run is by now.
    const Snapshot& snapshot() const { return *snapshot_; }
    const History* history() const { return snapshot_->history.get(); }
    /// Whether what is shown is the session's own, and no snapshot that was given to display() alone.
    bool isSession() const { return !foreign_; }
    /// What a number is of, with the step where the past is shown: "mean per example, step 120".
    QString atMoment(const QString& scope) const;
    std::size_t numExperts() const { return snapshot_->experiment.model.num_experts; }
    std::size_t prefix() const { return prefix_; }
    const std::optional<std::size_t>& expert() const { return expert_; }
    /// In its own colour up to eight experts; from nine on ink, and colour for the focused one alone.
    QColor expertColor(std::size_t expert) const;
    /// Whether a gate chose this expert among others for the focused prefix; a soft gate chooses none.
    bool isChosen(std::size_t expert) const;
    /// The prefix as its text: "hello world".
    QString prefixText(std::size_t prefix) const;
    QString routedText(std::size_t prefix) const;  // of what stands at the gate: the prefix, or its last word alone

    void uncovered() override;
    void themeChanged() override { refreshNow(); }
    void showEvent(QShowEvent* event) override;
    void changeEvent(QEvent* event) override;

    /// First thing in paintEvent(): a hidden widget may be painted into a picture before it was refreshed.
    void ensureFresh();

    /// A label of `labels` that lies on the button; empty where none does.
    static QString onButton(const LabelBook& labels, const QWidget& button);

    LabelBook labels_;

private:
    void takeFocus();
    void refreshSoon();
    void refreshNow();

    void adopt();

    std::shared_ptr<const Snapshot> newest_ = std::make_shared<const Snapshot>();
    std::shared_ptr<const Snapshot> shown_ = newest_;     // the one that was refreshed from, or soon will be
    std::shared_ptr<const Snapshot> snapshot_ = newest_;  // the same; of the past with the run's growing history
    std::size_t prefix_ = 0;
    std::optional<std::size_t> expert_;
    QElapsedTimer since_refresh_;
    QTimer later_;
    bool stale_ = true, foreign_ = false;
    QString header_;
};

}  // namespace moe::app
