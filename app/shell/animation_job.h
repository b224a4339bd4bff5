#pragma once
#include "app/export/animation.h"

#include <QObject>
#include <QString>

#include <atomic>
#include <filesystem>
#include <memory>

namespace moe::app {

class Background;
class SessionController;

/// What an animation shows.
struct AnimationPlan {
    std::vector<FigureSource> sources;
    FigureOptions options;
    QString probe;  // the text on the stage, and the prefix that is looked at
    std::size_t focus = 0;
    std::uint64_t from = 0, to = 0;
    std::size_t frames = 120;
    double seconds = 10;
    QSize size{1280, 720};
    AnimationFormat format = AnimationFormat::webp;
    std::filesystem::path target;
};

/// Makes an animation in the background, frame by frame out of the time machine; the window shows what it showed, and
/// training goes on. Every frame has the run's curves as they were at the beginning. Destruction cancels. GUI thread.
class AnimationJob : public QObject {
    Q_OBJECT

public:
    /// `present` is the snapshot shown now: its curves, and how long the run is.
    AnimationJob(SessionController& session, Background& background, std::shared_ptr<const Snapshot> present,
                 AnimationPlan plan, QObject* parent);
    ~AnimationJob() override;

    void start();
    void cancel();
    bool running() const { return running_; }
    std::size_t frames() const { return steps_.size(); }

Q_SIGNALS:
    void progressed(std::size_t done, std::size_t all);
    void finished(const QString& path);
    void failed(const QString& sentence);
    void cancelled();  // and nothing is left of it

private:
    struct Work;  // what the frames' thread has

    void watch();
    void next();
    void render(std::shared_ptr<const Snapshot> moment);
    void stop(const QString& sentence);

    SessionController& session_;
    Background& background_;
    std::shared_ptr<const Snapshot> present_;
    AnimationPlan plan_;
    std::vector<std::uint64_t> steps_;
    std::size_t done_ = 0;
    std::uint64_t newest_ = 0;
    bool running_ = false;
    std::shared_ptr<std::atomic<bool>> wanted_;
    std::shared_ptr<Work> work_;
};

}  // namespace moe::app
