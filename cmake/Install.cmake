# What `cmake --install` and `cpack` make of the build. Two groups of targets: toolformer::c needs nothing but a C compiler;
# toolformer::toolformer needs Abseil and libtorch.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(package_folder "${CMAKE_INSTALL_LIBDIR}/cmake/toolformer")

# libtorch lies beside the libraries, or where it was when they were built. Programs look in the library's folder first. The
# thin library of the C interface finds its other half and libtorch by itself; the program has a script that does.
set(libtorch_rpath "$ORIGIN;$ORIGIN/libtorch/lib;${Libtorch_DIR_FOUND}/lib")
set_target_properties(toolformer PROPERTIES INSTALL_RPATH "${libtorch_rpath}")
set_target_properties(toolformer_c_engine PROPERTIES INSTALL_RPATH "$ORIGIN")

install(TARGETS toolformer EXPORT toolformer-targets LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(TARGETS toolformer_c EXPORT toolformer-c-targets LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(TARGETS toolformer_c_engine LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
if(TARGET toolformer_cuda)
  set_target_properties(toolformer_cuda PROPERTIES INSTALL_RPATH "${libtorch_rpath}")
  install(TARGETS toolformer_cuda LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
endif()
if(TARGET toolformer_cli)
  set(program_folder "${CMAKE_INSTALL_LIBEXECDIR}/toolformer")
  file(RELATIVE_PATH program_to_libraries "/${program_folder}" "/${CMAKE_INSTALL_LIBDIR}")
  file(RELATIVE_PATH program_from_bin "/${CMAKE_INSTALL_BINDIR}" "/${program_folder}/toolformer")
  file(RELATIVE_PATH libraries_from_bin "/${CMAKE_INSTALL_BINDIR}" "/${CMAKE_INSTALL_LIBDIR}")
  set(libraries "$ORIGIN/${program_to_libraries}")
  set_target_properties(toolformer_cli PROPERTIES
                        INSTALL_RPATH "${libraries};${libraries}/libtorch/lib;${Libtorch_DIR_FOUND}/lib")
  install(TARGETS toolformer_cli RUNTIME DESTINATION "${program_folder}")
  configure_file("${PROJECT_SOURCE_DIR}/cmake/launch.sh.in" "${CMAKE_CURRENT_BINARY_DIR}/launch.sh" @ONLY)
  install(PROGRAMS "${CMAKE_CURRENT_BINARY_DIR}/launch.sh" DESTINATION "${CMAKE_INSTALL_BINDIR}" RENAME toolformer)
endif()
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/toolformer" "${PROJECT_SOURCE_DIR}/capi/include/toolformer_c"
        DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.h")
install(FILES "${PROJECT_SOURCE_DIR}/capi/include/toolformer_c.h" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" "${PROJECT_SOURCE_DIR}/README.md" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
install(FILES "${PROJECT_SOURCE_DIR}/docs/c-interface.md" DESTINATION "${CMAKE_INSTALL_DOCDIR}/docs")
install(FILES "${PROJECT_SOURCE_DIR}/examples/c/convert.c" DESTINATION "${CMAKE_INSTALL_DOCDIR}/examples/c")
install(FILES "${PROJECT_SOURCE_DIR}/examples/cpp/convert.cc" "${PROJECT_SOURCE_DIR}/examples/cpp/quickstart.cc"
        DESTINATION "${CMAKE_INSTALL_DOCDIR}/examples/cpp")

# find_package(toolformer), with COMPONENTS c for the C interface alone.
install(EXPORT toolformer-targets NAMESPACE toolformer:: DESTINATION "${package_folder}")
install(EXPORT toolformer-c-targets NAMESPACE toolformer:: DESTINATION "${package_folder}")
configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/toolformer-config.cmake.in"
                              "${CMAKE_CURRENT_BINARY_DIR}/toolformer-config.cmake" INSTALL_DESTINATION "${package_folder}")
write_basic_package_version_file("${CMAKE_CURRENT_BINARY_DIR}/toolformer-config-version.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/toolformer-config.cmake" "${CMAKE_CURRENT_BINARY_DIR}/toolformer-config-version.cmake"
              "${PROJECT_SOURCE_DIR}/cmake/FindLibtorch.cmake" DESTINATION "${package_folder}")

# pkg-config. The prefix follows from where the file lies, so that a moved installation still says what is true.
file(RELATIVE_PATH prefix_from_pc "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix")
foreach(pc toolformer toolformer_c)
  configure_file("${PROJECT_SOURCE_DIR}/cmake/${pc}.pc.in" "${CMAKE_CURRENT_BINARY_DIR}/${pc}.pc" @ONLY)
  install(FILES "${CMAKE_CURRENT_BINARY_DIR}/${pc}.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
endforeach()

# cpack: a .tar.gz and a .deb. libtorch is in neither: it is found as above.
set(CPACK_GENERATOR TGZ DEB)
set(CPACK_PACKAGE_NAME toolformer)
set(CPACK_PACKAGE_VENDOR toolformer)
set(CPACK_PACKAGE_CONTACT "the authors of toolformer <toolformer@example.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_PACKAGE_DESCRIPTION "Annotates texts with calls of tools by which a language model gains, fine-tunes models on
 them, and continues prompts with tools. Needs libtorch ${Libtorch_VERSION}, which TOOLFORMER_TORCH_DIR names.")
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "libabsl-dev")  # for hosts in C++
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS "${Libtorch_DIR_FOUND}/lib" "${CMAKE_LIBRARY_OUTPUT_DIRECTORY}")
include(CPack)
