// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Finds ptxas, runs it, and reads what it says: registers, spills, and where it made wgmma wait for no reason of ours.

#include "Ptxas.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/ToolOutputFile.h"

using namespace attn;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

static Error makeError(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), "error: " + message);
}

//===-- Where it is -----------------------------------------------------------------------------------------------===//

/// FOLDER/lib/python*/site-packages/nvidia/cu*/bin, where Python's package nvidia-cuda-nvcc puts it.
static void addPythonFolders(StringRef environment, llvm::SmallVectorImpl<std::string> &folders) {
  std::error_code ignored;
  for (llvm::sys::fs::directory_iterator python(environment + "/lib", ignored), end; !ignored && python != end;
       python.increment(ignored)) {
    std::error_code none;
    std::string packages = python->path() + "/site-packages/nvidia";
    for (llvm::sys::fs::directory_iterator toolkit(packages, none); !none && toolkit != end; toolkit.increment(none))
      folders.push_back(toolkit->path() + "/bin");
  }
}

std::string attn::findPtxas() {
  using llvm::sys::Process;
  if (std::optional<std::string> path = Process::GetEnv("ATTN_PTXAS"))
    return *path;
  if (auto path = llvm::sys::findProgramByName("ptxas"))
    return *path;
  llvm::SmallVector<std::string> folders;
  for (const char *variable : {"CUDA_HOME", "CUDA_PATH"})
    if (std::optional<std::string> toolkit = Process::GetEnv(variable))
      folders.push_back(*toolkit + "/bin");
  folders.push_back("/usr/local/cuda/bin");
  if (std::optional<std::string> environment = Process::GetEnv("VIRTUAL_ENV"))
    addPythonFolders(*environment, folders);
  llvm::SmallVector<StringRef> paths(folders.begin(), folders.end());
  auto path = llvm::sys::findProgramByName("ptxas", paths);
  return path ? *path : std::string();
}

//===-- What it says ----------------------------------------------------------------------------------------------===//

/// The number before a word of a line; 0 if the line does not hold the word.
static unsigned numberBefore(StringRef line, StringRef word) {
  unsigned number = 0;
  StringRef before = line.take_front(line.find(word)).rtrim();
  return line.contains(word) && !before.take_back(before.size() - before.rfind(' ') - 1).getAsInteger(10, number)
             ? number
             : 0;
}

static void read(StringRef text, PtxasReport &report) {
  for (StringRef line : llvm::split(text, '\n')) {
    if (line.contains("warning") || line.contains("(C7"))
      report.remarks.push_back(line.trim().str());
    if (line.contains("Compiling entry function"))
      report.functions.push_back({line.split('\'').second.split('\'').first.str()});
    if (report.functions.empty())
      continue;
    PtxasReport::Function &function = report.functions.back();
    function.registers = std::max(function.registers, numberBefore(line, "registers"));
    function.spilledBytes += numberBefore(line, "bytes spill stores") + numberBefore(line, "bytes spill loads");
  }
}

void attn::printText(const PtxasReport &report, llvm::raw_ostream &os) {
  for (const PtxasReport::Function &function : report.functions)
    os << function.name << ": " << function.registers << " registers, " << function.spilledBytes << " bytes spilled\n";
  for (const std::string &remark : report.remarks)
    os << remark << '\n';
}

//===-- Running it ------------------------------------------------------------------------------------------------===//

/// Its first complaint, else what the operating system said.
static std::string complaintOf(StringRef said, StringRef otherwise) {
  for (StringRef line : llvm::split(said, '\n'))
    if (line.contains("error") || line.contains("fatal"))
      return line.trim().str();
  return otherwise.str();
}

static std::string readFile(StringRef path) {
  auto buffer = llvm::MemoryBuffer::getFile(path);
  return buffer ? (*buffer)->getBuffer().str() : std::string();
}

Expected<std::string> attn::assemble(StringRef ptxas, StringRef ptx, PtxasReport &report) {
  llvm::SmallString<128> source, cubin, output;
  int descriptor;
  if (llvm::sys::fs::createTemporaryFile("attn", "ptx", descriptor, source) ||
      llvm::sys::fs::createTemporaryFile("attn", "cubin", cubin) ||
      llvm::sys::fs::createTemporaryFile("attn", "txt", output))
    return makeError("cannot create a temporary file for ptxas; set TMPDIR to a folder with space");
  llvm::FileRemover removeCubin(cubin), removeOutput(output);
  llvm::ToolOutputFile file(source, descriptor); // removed at the end
  file.os() << ptx;
  file.os().flush();
  StringRef arguments[] = {ptxas, "-arch=sm_90a", "-O3", "-v", "--split-compile=0", "-o", cubin, source};
  std::optional<StringRef> redirects[] = {std::nullopt, StringRef(output), StringRef(output)};
  std::string reason = "it ends without a word";
  int code = llvm::sys::ExecuteAndWait(ptxas, arguments, std::nullopt, redirects, 0, 0, &reason);
  std::string said = readFile(output), bytes = readFile(cubin);
  if (code || bytes.empty())
    return makeError("'" + ptxas + "' makes no cubin: " + complaintOf(said, reason) +
                     "; set ATTN_PTXAS to the ptxas of CUDA 12.8 or newer");
  read(said, report);
  return bytes;
}
