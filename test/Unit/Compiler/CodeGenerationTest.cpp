// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What LLVM diagnoses while kernels are compiled becomes an error that is returned. Its own way would end this process.

#include "../../../lib/Compiler/CodeGeneration.h"
#include "llvm/AsmParser/Parser.h"
#include "llvm/Bitcode/BitcodeWriter.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/SourceMgr.h"
#include "gtest/gtest.h"

using namespace attn;

static std::unique_ptr<llvm::Module> parse(llvm::LLVMContext &context, llvm::StringRef text) {
  llvm::SMDiagnostic diagnostic;
  std::unique_ptr<llvm::Module> module = llvm::parseAssemblyString(text, diagnostic, context);
  EXPECT_TRUE(module) << diagnostic.getMessage().str();
  return module;
}

/// What generating an object for the host fails with; nothing if it succeeds.
static std::string errorOf(llvm::StringRef text) {
  KernelContext context;
  std::unique_ptr<llvm::Module> module = parse(context, text);
  std::unique_ptr<llvm::TargetMachine> machine = llvm::cantFail(makeHostMachine());
  setMachine(*module, *machine);
  auto bytes = generate(*module, *machine, llvm::CodeGenFileType::ObjectFile);
  return bytes ? "" : llvm::toString(bytes.takeError());
}

TEST(CodeGeneration, SucceedsInSilence) { EXPECT_EQ(errorOf("define i32 @f() {\n  ret i32 1\n}\n"), ""); }

TEST(CodeGeneration, ErrorsOfSelectionAreReturned) {
  EXPECT_EQ(errorOf("define i32 @f() {\n  %r = call i32 asm \"\", \"={nowhere}\"()\n  ret i32 %r\n}\n"),
            "error: LLVM cannot compile this: couldn't allocate output register for constraint '{nowhere}'");
}

TEST(CodeGeneration, ErrorsOfTheAssemblerAreReturned) {
  std::string error = errorOf("define void @f() {\n  call void asm \"frobnicate\", \"\"()\n  ret void\n}\n");
  EXPECT_NE(error.find("error: LLVM cannot compile this: "), std::string::npos) << error;
  EXPECT_NE(error.find("invalid instruction mnemonic 'frobnicate'"), std::string::npos) << error;
  EXPECT_EQ(error.find('\n'), std::string::npos) << error;
}

TEST(CodeGeneration, ErrorsOfLinkingAreReturned) {
  KernelContext context;
  llvm::SmallVector<char, 0> bitcode;
  llvm::raw_svector_ostream os(bitcode);
  llvm::WriteBitcodeToFile(*parse(context, "define void @f() {\n  ret void\n}\n"), os);
  std::unique_ptr<llvm::Module> module = parse(context, "define void @f() {\n  ret void\n}\n");
  EXPECT_EQ(llvm::toString(linkBitcode(*module, {bitcode.data(), bitcode.size()}, 0)),
            "error: LLVM cannot compile this: Linking globals named 'f': symbol multiply defined!");
}
