// SPDX-License-Identifier: Apache-2.0
#include "kernel_tree.hpp"

#include "errors.hpp"
#include "kernel_tree_backend.hpp"
#include "load.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <memory>
#include <spawn.h>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>

namespace bouncesim {

const char kernel_tree_syntax[] = "tree:PATH[:dynamic][:own-alloc]";

namespace {

namespace fs = std::filesystem;

// One tree: the row and all that it points to.
struct tree {
    std::string asked;
    kernel_tree_plugin plugin;
    std::string summary;
    std::string source;
    bounce_backend_factory factory = {};
    bounce_kernel kernel = {};
};

std::vector<std::unique_ptr<tree>> trees;

// Takes an option off the end, after a colon or a comma.
bool take_option(std::string &text, const std::string &option) {
    for (char before : {':', ','}) {
        std::string end = before + option;
        if (text.size() > end.size() &&
            text.compare(text.size() - end.size(), end.size(), end) == 0) {
            text.resize(text.size() - end.size());
            return true;
        }
    }
    return false;
}

bool is_shared_object(const std::string &path) {
    char magic[4] = {};
    std::ifstream in(path, std::ios::binary);
    return in.read(magic, sizeof(magic)) && std::memcmp(magic, "\177ELF", sizeof(magic)) == 0;
}

// Beside the installed program, or in the source folder that this one was built from.
std::string build_script() {
    std::error_code error;
    fs::path program = fs::read_symlink("/proc/self/exe", error);
    for (const fs::path &folder : {program.parent_path() / BOUNCESIM_KERNEL_TREE_INSTALLED,
                                   fs::path(BOUNCESIM_KERNEL_TREE)}) {
        fs::path script = folder / "build-plugin";
        if (fs::exists(script, error))
            return script.lexically_normal().string();
    }
    throw refused_error("build-plugin, which builds kernel trees, is not installed with this "
                        "program");
}

std::string read_all(int fd) {
    std::string text;
    char part[4096];
    for (;;) {
        ssize_t got = read(fd, part, sizeof(part));
        if (got > 0)
            text.append(part, static_cast<std::size_t>(got));
        else if (got == 0 || errno != EINTR)
            break;
    }
    close(fd);
    return text;
}

std::string first_line(const std::string &text) {
    return text.substr(0, text.find('\n'));
}

// Runs it without a shell; returns its standard output. Throws with its one line of complaint.
std::string run(const std::vector<std::string> &command, const std::string &name) {
    std::vector<char *> words;
    for (const std::string &word : command)
        words.push_back(const_cast<char *>(word.c_str()));
    words.push_back(nullptr);
    int out[2], err[2];
    if (pipe2(out, O_CLOEXEC))
        throw run_error(std::string("pipe: ") + std::strerror(errno));
    if (pipe2(err, O_CLOEXEC)) {
        close(out[0]);
        close(out[1]);
        throw run_error(std::string("pipe: ") + std::strerror(errno));
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
    pid_t child = 0;
    int failed = posix_spawn(&child, words[0], &actions, nullptr, words.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    close(out[1]);
    close(err[1]);
    std::string printed = read_all(out[0]), complaint = read_all(err[0]);
    if (failed)
        throw run_error(command[0] + ": " + std::strerror(failed));
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return printed;
    if (WIFEXITED(status) && (WEXITSTATUS(status) == 127 || WEXITSTATUS(status) == 126))
        throw refused_error(name + ": building a kernel tree needs python3; install it, or give "
                                   "the plug-in that build-plugin made elsewhere");
    const std::string prefix = "bouncesim: ";
    std::string why = first_line(complaint);
    if (why.compare(0, prefix.size(), prefix) == 0)
        throw refused_error(why.substr(prefix.size()));
    throw refused_error(
        name + ": build-plugin failed: " + (why.empty() ? std::string("it says nothing") : why));
}

std::unique_ptr<tree> make_tree(const std::string &name) {
    auto made = std::make_unique<tree>();
    std::string path = name.substr(std::strlen("tree:"));
    bool own_alloc = false;
    for (bool more = true; more;) {
        bool dynamic = take_option(path, "dynamic"), own = take_option(path, "own-alloc");
        made->plugin.dynamic |= dynamic;
        own_alloc |= own;
        more = dynamic || own;
    }
    made->asked = name;
    made->plugin.natural_alloc = !own_alloc;
    made->plugin.name =
        "tree:" + path + (made->plugin.dynamic ? ":dynamic" : "") + (own_alloc ? ":own-alloc" : "");
    if (path.empty())
        throw refused_error(std::string(kernel_tree_syntax) + " was expected");
    std::error_code error;
    if (!fs::exists(path, error))
        throw refused_error(path + ": no such kernel tree, tarball or plug-in");
    if (is_shared_object(path)) {
        made->plugin.file = path;
    } else {
        std::vector<std::string> command = {build_script()};
        if (made->plugin.dynamic)
            command.push_back("--dynamic");
        command.insert(command.end(), {"--", path});
        made->plugin.file = first_line(run(command, path));
    }

    bounce_kt_library library = {};
    char why[256];
    if (!bounce_kt_load(made->plugin.file.c_str(), &library, why, sizeof(why)))
        throw refused_error(why);
    unsigned features = library.plugin->features;
    std::string release = library.plugin->release;
    bounce_kt_unload(&library);
    if (made->plugin.dynamic && !(features & BOUNCE_KT_DYNAMIC))
        throw refused_error(path + ": this plug-in has no SWIOTLB_DYNAMIC; build it with "
                                   "build-plugin --dynamic");
    made->summary = "Linux " + release + " as this tree has it" +
                    (made->plugin.dynamic ? ", with SWIOTLB_DYNAMIC" : "");
    made->source = "kernel/dma/swiotlb.c of " + release;
    made->factory = {&made->plugin, create_kernel_tree};
    made->kernel.name = made->plugin.name.c_str();
    made->kernel.summary = made->summary.c_str();
    made->kernel.source = made->source.c_str();
    made->kernel.factory = &made->factory;
    if (!(features & BOUNCE_KT_PROBES))
        std::fprintf(stderr,
                     "bouncesim: %s: candidates cannot be counted in this tree's search; probes "
                     "are 0 everywhere\n",
                     made->plugin.name.c_str());
    return made;
}

std::string names_of_kernels() {
    std::string names;
    for (std::size_t i = 0; const bounce_kernel *kernel = bounce_kernel_at(i); i++)
        names += std::string(kernel->name) + ", ";
    return names + kernel_tree_syntax;
}

} // namespace

const bounce_kernel *find_kernel(const std::string &name, const char *option) {
    if (const bounce_kernel *kernel = bounce_kernel_find(name.c_str()))
        return kernel;
    if (name.compare(0, 5, "tree:") != 0)
        throw refused_error(std::string(option) + " " + name + ": not known; there are " +
                            names_of_kernels());
    for (const auto &known : trees)
        if (known->asked == name)
            return &known->kernel;
    try {
        trees.push_back(make_tree(name));
    } catch (const refused_error &e) {
        throw refused_error(std::string(option) + ": " + e.what());
    }
    return &trees.back()->kernel;
}

bool pools_grow(const bounce_kernel *kernel) {
    auto is_it = [&](const auto &known) { return &known->kernel == kernel; };
    auto own = std::find_if(trees.begin(), trees.end(), is_it);
    return bounce_kernel_grows(kernel) || (own != trees.end() && (*own)->plugin.dynamic);
}

std::vector<std::string> split_kernels(const std::string &list) {
    std::vector<std::string> names;
    std::istringstream rest(list);
    for (std::string name; std::getline(rest, name, ',');) {
        bool is_option = name == "dynamic" || name == "own-alloc" || name == "dynamic:own-alloc";
        if (is_option && !names.empty() && names.back().compare(0, 5, "tree:") == 0)
            names.back() += ":" + name;
        else
            names.push_back(name);
    }
    return names;
}

} // namespace bouncesim
