#pragma once
#include "app/models/theme.h"

#include <QAbstractButton>

namespace moe::app {

/// A word to click, underlined, in a picture's caption line: "over time", "now".
class TextToggle : public QAbstractButton {
    Q_OBJECT

public:
    explicit TextToggle(QWidget* parent);

    void setTheme(const Theme& theme);
    QSize sizeHint() const override;
    /// Stands with its right end and bottom there.
    void placeAt(int right, int bottom);

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    Theme theme_ = Theme::light();
};

}  // namespace moe::app
