// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Parses command lines.
#include "flags/Flags.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/ToolOutputFile.h"
#include "llvm/Support/raw_ostream.h"

namespace cl = llvm::cl;

namespace attn_tools {

void hideForeignOptions() {
  for (auto &entry : cl::getRegisteredOptions())
    entry.second->setHiddenFlag(cl::ReallyHidden);
  if (cl::Option *threads = cl::getRegisteredOptions().lookup("threads"))
    threads->removeArgument();
}

/// What a flag's parser has to say; llvm::cl then only says that parsing failed.
static std::string &flagMistake() {
  static std::string mistake;
  return mistake;
}

bool WholeNumberParser::parse(cl::Option &, llvm::StringRef name, llvm::StringRef text, long long &value) {
  Result<int64_t> number = parseInteger("--" + name.str(), text.str());
  if (number)
    value = *number;
  else if (flagMistake().empty())
    flagMistake() = number.message();
  return !number;
}

/// The flag of ours whose name differs least.
static llvm::StringRef nearestFlag(llvm::StringRef name) {
  llvm::StringRef nearest;
  unsigned least = 3; // more letters than that are another word
  for (auto &entry : cl::getRegisteredOptions())
    if (unsigned distance = name.edit_distance(entry.first, /*AllowReplacements=*/true, least);
        distance < least && entry.second->getOptionHiddenFlag() == cl::NotHidden)
      least = distance, nearest = entry.first;
  return nearest;
}

/// Flags that do not exist, and values that are missing or too many. llvm::cl prints part of this where nobody can make
/// it one line.
static Outcome checkFlags(llvm::ArrayRef<const char *> arguments, const std::string &tool) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    llvm::StringRef argument = arguments[i];
    if (!argument.starts_with("-") || argument == "-")
      continue;
    auto [flag, value] = argument.split('=');
    llvm::StringRef name = flag.drop_front(flag.starts_with("--") ? 2 : 1);
    cl::Option *option = cl::getRegisteredOptions().lookup(name);
    if (!option) {
      llvm::StringRef nearest = nearestFlag(name);
      std::string guess = nearest.empty() ? "" : "did you mean '--" + nearest.str() + "'? ";
      return Failure{"unknown flag '" + flag.str() + "'; " + guess + "see " + tool + " --help"};
    }
    bool takesValue = option->getValueExpectedFlag() == cl::ValueRequired, hasValue = flag.size() < argument.size();
    if (takesValue && !hasValue && ++i == arguments.size())
      return Failure{flag.str() + " needs a value; see " + tool + " --help"};
    if (!takesValue && hasValue)
      return Failure{flag.str() + " takes no value, not '" + value.str() + "'; write " + flag.str()};
  }
  return Success();
}

Outcome parseCommandLine(int argc, char **argv, llvm::StringRef overview) {
  std::string tool = llvm::sys::path::filename(argv[0]).str();
  if (Outcome outcome = checkFlags(llvm::ArrayRef<const char *>(argv + 1, argc - 1), tool); !outcome)
    return outcome;
  std::string messages;
  llvm::raw_string_ostream errors(messages);
  if (cl::ParseCommandLineOptions(argc, argv, overview, &errors))
    return Success();
  if (!flagMistake().empty())
    return Failure{flagMistake()};
  if (llvm::StringRef(messages).contains("Not enough positional"))
    return Failure{"no pattern file; write " + tool + " FILE [options]"};
  if (llvm::StringRef(messages).contains("Too many positional"))
    return Failure{"more than one pattern file; write " + tool + " FILE [options]"};
  return Failure{llvm::StringRef(messages).split('\n').first.str()};
}

int fail(const llvm::Twine &message) {
  std::string text = message.str();
  llvm::StringRef firstLine = llvm::StringRef(text).split('\n').first;
  llvm::errs() << (firstLine.contains("error: ") ? "" : "error: ") << text << '\n';
  return 2;
}

int fail(llvm::Error error) { return fail(llvm::toString(std::move(error))); }

attn::CompileOptions KernelFlags::options() const {
  attn::CompileOptions options;
  options.kernel = kernel, options.target = target, options.machine = machine, options.element = element;
  options.score = score, options.headSize = headSize, options.valueHeadSize = valueHeadSize;
  options.tileRows = tileRows, options.tileKeys = tileKeys;
  return options;
}

CallFlags SizeFlags::flags() const {
  CallFlags flags;
  auto set = [](std::optional<int64_t> &size, const WholeNumber &flag) {
    if (flag.getNumOccurrences())
      size = flag;
  };
  set(flags.batch, batch), set(flags.heads, heads), set(flags.kvHeads, kvHeads), set(flags.length, length);
  set(flags.kvLength, kvLength), set(flags.queryOffset, queryOffset);
  flags.keyOffset = keyOffset;
  flags.seed = seed;
  flags.arguments.assign(arguments.begin(), arguments.end());
  return flags;
}

Outcome writeFile(const std::string &path, llvm::StringRef content) {
  std::error_code error;
  llvm::ToolOutputFile file(path.empty() ? "-" : path, error, llvm::sys::fs::OF_None);
  if (error)
    return Failure{"cannot write '" + path + "': " + error.message()};
  file.os() << content;
  file.os().flush();
  if (file.os().has_error()) {
    std::string message = file.os().error().message();
    file.os().clear_error();
    return Failure{"cannot write '" + path + "': " + message};
  }
  file.keep();
  return Success();
}

} // namespace attn_tools
