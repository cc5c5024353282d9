// Interactor of Summit in the Fog: interact INPUT ANSWER FEEDBACK_DIR < submission's output > submission's input.
//
// Exits with 42 when the summit was found and with 43 when the submission is wrong; any other code is a fault
// of the jury. It reads line by line and never more than a line may have, so that a flood ends it at once.

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>

namespace {

constexpr int ACCEPT = 42, REJECT = 43, FAULT = 44;
constexpr int QUESTIONS = 45;
constexpr size_t LINE = 32;

std::string feedback_dir;

[[noreturn]] void leave(int code, const std::string &message) {
    std::ofstream(feedback_dir + "/judgemessage.txt", std::ios::app) << message << '\n';
    std::exit(code);
}

struct Mountain {
    long long n, summit, slope;
    std::uint64_t seed;

    // A step is at least 1 high: slope, and the roughness of two neighbours differs by less than it.
    long long height(long long i) const {
        const long long away = i < summit ? summit - i : i - summit;
        return 1'000'000'000 - away * slope - (away == 0 ? 0 : roughness(i));
    }

    // The mixer of SplitMix64 over the milestone and the seed.
    long long roughness(long long i) const {
        std::uint64_t x = seed + static_cast<std::uint64_t>(i) * 0x9e3779b97f4a7c15;
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
        x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
        return static_cast<long long>((x ^ (x >> 31)) % static_cast<std::uint64_t>(slope));
    }
};

// The next line without its end; rejects one that is too long and the end of the output.
std::string read_line(int questions) {
    std::string line;
    for (int c; (c = std::getchar()) != '\n'; line.push_back(static_cast<char>(c))) {
        if (c == EOF) leave(REJECT, "ended without an answer after " + std::to_string(questions) + " questions");
        if (line.size() == LINE) leave(REJECT, "a line of more than " + std::to_string(LINE) + " bytes");
    }
    return line;
}

// Kind and milestone of a line such as `? 17`.
std::pair<char, long long> parse(const std::string &line) {
    std::istringstream words(line);
    std::string kind, rest;
    long long i;
    if (!(words >> kind >> i) || words >> rest || (kind != "?" && kind != "!"))
        leave(REJECT, "neither a question nor an answer: a line of " + std::to_string(line.size()) + " bytes");
    return {kind[0], i};
}

}  // namespace

int main(int argc, char **argv) {
    if (argc < 4) return FAULT;
    feedback_dir = argv[3];
    // A submission that dies must not take the interactor with it: the next read finds the end instead.
    std::signal(SIGPIPE, SIG_IGN);

    Mountain mountain{};
    long long answer = 0;
    if (!(std::ifstream(argv[1]) >> mountain.n >> mountain.summit >> mountain.slope >> mountain.seed))
        leave(FAULT, "the input is not four numbers");
    if (!(std::ifstream(argv[2]) >> answer) || answer != mountain.summit)
        leave(FAULT, "the answer is not the summit");

    std::cout << mountain.n << std::endl;
    for (int questions = 0;;) {
        const auto [kind, i] = parse(read_line(questions));
        if (kind == '!') {
            if (i != mountain.summit) leave(REJECT, "milestone " + std::to_string(i) + " is not the summit");
            leave(ACCEPT, "found with " + std::to_string(questions) + " questions");
        }
        if (i < 1 || i > mountain.n) leave(REJECT, "milestone " + std::to_string(i) + " does not exist");
        if (++questions > QUESTIONS) leave(REJECT, "more than " + std::to_string(QUESTIONS) + " questions");
        std::cout << mountain.height(i) << std::endl;
    }
}
