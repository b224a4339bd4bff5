#pragma once
#include "app/models/table.h"
#include "app/models/theme.h"
#include "app/session/session_controller.h"

#include <QString>
#include <QWidget>

#include <optional>
#include <span>
#include <vector>

namespace moe::app {

/// What stands around a picture that is not of the run at its present step.
struct PictureNotes {
    QString subtitle;
    std::vector<QString> settings;  // "batch 16"
};

/// One measure or picture of the running model. Draws its content only: the panel around it (title left, scope right,
/// hairline, 16 px margins) belongs to the dock. GUI thread.
class View : public QWidget {
    Q_OBJECT

public:
    View(SessionController& session, QWidget* parent) : QWidget(parent), session_(session) {}

    virtual QString title() const = 0;                // "Expert load"
    virtual QString name() const { return title(); }  // short and always the same: tabs, menus
    virtual QString scope() const { return {}; }      // "share of gate weight, last epoch"
    virtual QString value() const { return {}; }      // a single number at the right of the title: "0.38"
    virtual Table table() const = 0;
    /// What an export draws: all of it, or the part that is the picture.
    virtual QWidget& picture() { return *this; }
    /// Nothing: its scope stands above what is exported, and below it what made the run.
    virtual std::optional<PictureNotes> pictureNotes() const { return std::nullopt; }

    void setTheme(const Theme& theme) {
        theme_ = theme;
        themeChanged();
    }
    const Theme& theme() const { return theme_; }

    /// Its tab was behind another one, and it may have left out what nobody could see.
    virtual void uncovered() {}

Q_SIGNALS:
    void headerChanged();  // title, scope or value

protected:
    virtual void themeChanged() { update(); }

    SessionController& session_;
    Theme theme_ = Theme::light();
};

/// Where a view stands in the default arrangement.
enum class ViewArea { stage, right, below, time };

struct ViewInfo {
    const char* id;  // "stage", "heatmap", "gate", "load", "loss", "accuracy", "next_word", "time", "inspector",
                     // "devices": lessons name these
    ViewArea area;
    View* (*create)(SessionController& session, QWidget* parent);
    bool open = true;  // in the default arrangement; else it shares the place of the others of its area when opened
};

/// Every view there is, in the order of the default arrangement. A new view is its two files and a line here.
std::span<const ViewInfo> views();

}  // namespace moe::app
