#pragma once
#include <QObject>
#include <QString>

#include <functional>
#include <list>
#include <thread>

namespace moe::app {

/// Work that would stop the window: files, large texts. Each piece runs on a thread of its own; what it returns is run
/// on the GUI thread. Destruction waits for work under way, so that no save is cut off.
class Background : public QObject {
    Q_OBJECT

public:
    using Finish = std::function<void()>;

    using QObject::QObject;
    ~Background() override;

    /// `work` on a thread; then its result, or `failed` with the sentence of what it threw, on the GUI thread.
    void run(std::function<Finish()> work, std::function<void(const QString& sentence)> failed);
    bool idle() const { return threads_.empty(); }

private:
    std::list<std::jthread> threads_;
};

}  // namespace moe::app
