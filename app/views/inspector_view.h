#pragma once
#include "app/models/inspection.h"
#include "app/models/inspection_feed.h"
#include "app/views/chart_toggle.h"
#include "app/views/inspector_view_charts.h"
#include "app/views/inspector_view_map.h"
#include "app/views/provenance_view.h"
#include "app/views/view.h"

#include <QComboBox>

namespace moe::app {

/// Looks into one part of the model at the moment that is shown: its weights as a heat map with histogram and norm over
/// the run, its activations for the focused phrase, its gradients of the next batch; and where each number comes from.
/// Asks the session only while it can be seen. GUI thread.
class InspectorView : public View {
    Q_OBJECT

public:
    InspectorView(SessionController& session, QWidget* parent);

    QString title() const override;
    QString name() const override { return tr("Inspector"); }
    QString scope() const override;
    Table table() const override;
    QSize sizeHint() const override { return {300, 480}; }
    QSize minimumSizeHint() const override { return {180, 120}; }

    /// Looks into that part. `array` by its place in the list, else the one that was looked at before, else the first.
    void inspect(const InspectionTarget& target, std::optional<std::size_t> array = {});
    const InspectionTarget& target() const { return target_; }
    const std::vector<InspectedArray>& arrays() const { return arrays_; }
    void chooseArray(std::size_t index);
    void setGradient(bool on);
    void setScale(InspectionScale scale);
    /// The chain behind number i of the array.
    void explain(std::size_t i);
    bool explaining() const { return explaining_.has_value(); }
    /// Whether the number that is explained goes on with the run; else it stays at the step at which it was picked.
    bool following() const { return following_; }
    void setFollowing(bool on);

    const InspectionFeed& feed() const { return feed_; }
    ArrayMap* map() const { return map_; }
    ProvenanceView* provenance() const { return provenance_; }
    /// The numbers as they are shown: in the array's order.
    const std::vector<float>& values() const { return values_; }
    QString numbersText() const;  // for the clipboard
    QString tableText() const;    // tab-separated, with a head
    QString labelFault() const;

protected:
    void themeChanged() override;
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void showEvent(QShowEvent* event) override;
    void hideEvent(QHideEvent* event) override;
    void changeEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;

private:
    const InspectedArray* array() const { return chosen_ < arrays_.size() ? &arrays_[chosen_] : nullptr; }
    const Snapshot& snapshot() const { return session_.snapshot(); }
    Inspection::WordOf wordOf() const;
    std::uint64_t shownStep() const;
    bool gradient() const;
    void takeStructure();
    void takeTarget();
    void fillWhich();
    /// Whether a person can see it: not closed, and not behind another tab.
    bool seen() const { return isVisible() && !visibleRegion().isEmpty(); }
    void want();
    void refresh();
    void refreshExplanation();
    void closeExplanation();
    void keepMoment();
    std::uint64_t moment() const { return pinned_.value_or(snapshot().step); }
    void arrange();
    void say();
    QString cellText(std::size_t i) const;
    NumberRef refOf(std::size_t i) const;
    /// The trace in which the number that is explained was made.
    const std::shared_ptr<const Trace>& explainer() const;
    bool fromUpdate() const;  // a weight that the batch before has made

    InspectionFeed feed_;
    InspectionTarget target_;
    std::vector<InspectedArray> arrays_;
    std::size_t chosen_ = 0;
    bool gradient_ = false, filling_ = false;
    InspectionScale scale_ = InspectionScale::array;
    std::vector<float> values_;
    std::size_t grid_columns_ = 1;
    double limit_ = 1;
    std::optional<std::size_t> explaining_;
    std::shared_ptr<const Trace> explained_;  // the trace that the chain is of
    std::uint64_t explained_step_ = 0;
    bool following_ = false;
    std::optional<std::uint64_t> pinned_;  // the step of the number that is explained, unless it follows the run
    /// Where the reader has gone: a picked number goes with him, but not on with the run.
    struct Place {
        std::optional<std::uint64_t> looked_at;
        std::uint64_t branch = 0;
        std::string text;
        std::size_t focus = 0;

        bool operator==(const Place&) const = default;
    };
    Place place() const;
    Place place_;  // where the number that is explained was picked, or was taken to
    std::uint64_t generation_ = 0;
    std::optional<std::size_t> followed_expert_;
    QString header_;

    QComboBox *part_, *which_, *array_box_, *scale_box_;
    TextToggle *gradient_toggle_, *where_, *numbers_copy_, *table_copy_, *zoom_in_, *zoom_out_, *close_where_, *follow_;
    ArrayMap* map_;
    ArrayHistogram* histogram_;
    NormChart* norm_;
    ProvenanceView* provenance_;
    QRectF readout_, legend_, note_;
    LabelBook labels_;
};

}  // namespace moe::app
