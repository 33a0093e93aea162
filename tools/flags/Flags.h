// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The command line of attn-run and attn-compile: flags that both have are declared here, once.
#ifndef ATTN_TOOLS_FLAGS_FLAGS_H
#define ATTN_TOOLS_FLAGS_FLAGS_H

#include "attn/Compiler/Report.h"
#include "common/CallArguments.h"
#include "llvm/Support/CommandLine.h"

namespace attn_tools {

/// Takes LLVM's own options off the command line; call it before any option is declared. (`threads` is one of them.)
void hideForeignOptions();

/// Parses the command line. A mistake is one line, "error: ...", with the text of llvm::cl.
Outcome parseCommandLine(int argc, char **argv, llvm::StringRef overview);

/// Prints "error: ..." (unless the message says so itself) and returns 2.
int fail(const llvm::Twine &message);
int fail(llvm::Error error);

/// Whole numbers. llvm::cl's own parser prints its messages where nobody can make them one line.
class WholeNumberParser : public llvm::cl::parser<long long> {
public:
  using parser::parser;
  bool parse(llvm::cl::Option &option, llvm::StringRef name, llvm::StringRef text, long long &value);
  llvm::StringRef getValueName() const override { return "N"; }
};
using WholeNumber = llvm::cl::opt<int64_t, false, WholeNumberParser>;

/// What to compile.
struct KernelFlags {
  llvm::cl::opt<std::string> file{llvm::cl::Positional, llvm::cl::desc("FILE"), llvm::cl::Required};
  llvm::cl::opt<std::string> kernel{"kernel", llvm::cl::desc("Kernel of the file; all of them if not given"),
                                    llvm::cl::value_desc("NAME")};
  llvm::cl::opt<std::string> target{"target", llvm::cl::desc("cpu (default) or sm_90a"), llvm::cl::init("cpu"),
                                    llvm::cl::value_desc("NAME")};
  llvm::cl::opt<std::string> machine{"machine", llvm::cl::desc("Target description: host or h200 (the target's own)"),
                                     llvm::cl::value_desc("NAME")};
  llvm::cl::opt<std::string> score{"score",
                                   llvm::cl::desc("Score of the file, of scores/ beside it, or of another file"),
                                   llvm::cl::value_desc("NAME|FILE")};
  llvm::cl::opt<std::string> element{"element", llvm::cl::desc("f32 (default), bf16 or f16"), llvm::cl::init("f32"),
                                     llvm::cl::value_desc("TYPE")};
  WholeNumber headSize{"head-size", llvm::cl::desc("Columns of query and key (64)"), llvm::cl::init(64)};
  WholeNumber valueHeadSize{"value-head-size", llvm::cl::desc("Columns of value and output (head-size)"),
                            llvm::cl::init(0)};
  WholeNumber tileRows{"tile-rows", llvm::cl::desc("Query rows of a tile (the planner's choice)"), llvm::cl::init(0)};
  WholeNumber tileKeys{"tile-keys", llvm::cl::desc("Keys of a tile (the planner's choice)"), llvm::cl::init(0)};

  attn::CompileOptions options() const;
};

/// What to call it with.
struct SizeFlags {
  WholeNumber batch{"batch", llvm::cl::desc("Batches (1)")};
  WholeNumber heads{"heads", llvm::cl::desc("Query heads (1)")};
  WholeNumber kvHeads{"kv-heads", llvm::cl::desc("Key heads (heads)")};
  WholeNumber length{"length", llvm::cl::desc("Query rows (1024)")};
  WholeNumber kvLength{"kv-length", llvm::cl::desc("Key rows (length)")};
  WholeNumber queryOffset{"query-offset", llvm::cl::desc("Position of query row 0 (the last rows side by side)")};
  WholeNumber keyOffset{"key-offset", llvm::cl::desc("Position of key row 0 (0)")};
  WholeNumber seed{"seed", llvm::cl::desc("Of everything that is drawn (0)")};
  llvm::cl::list<std::string> arguments{"arg",
                                        llvm::cl::desc("An argument: name=value, name=v1,v2,... or name=file.npy"),
                                        llvm::cl::value_desc("NAME=VALUE")};

  CallFlags flags() const;
};

/// A whole file, or standard output for "-" and nothing. Nothing is left behind if it cannot be written.
Outcome writeFile(const std::string &path, llvm::StringRef content);

} // namespace attn_tools

#endif // ATTN_TOOLS_FLAGS_FLAGS_H
