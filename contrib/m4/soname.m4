# PR_SONAME(PREFIX, FUNCTION)
#
# Defines PREFIX_SONAME as the name under which programs linked with PREFIX_LIBS
# load the library that has FUNCTION. Such a library is linked at run time, when
# it is needed first (core/api/postrider/library.h).
AC_DEFUN([PR_SONAME],
[AC_REQUIRE([LT_INIT])dnl
AC_CACHE_CHECK([for the name of the library of $2], [pr_cv_soname_$1],
  [pr_saved_LIBS=$LIBS
   pr_saved_LDFLAGS=$LDFLAGS
   LIBS=$$1_LIBS
   LDFLAGS="$LDFLAGS -Wl,--as-needed"
   pr_cv_soname_$1=
   AC_LINK_IFELSE([AC_LANG_CALL([], [$2])],
     [pr_cv_soname_$1=`$OBJDUMP -p conftest$ac_exeext |
        sed -n 's/^ *NEEDED *//p' | grep -v '^libc\.so' | head -n 1`])
   LIBS=$pr_saved_LIBS
   LDFLAGS=$pr_saved_LDFLAGS])
 AS_IF([test "x$pr_cv_soname_$1" = x],
       [AC_MSG_ERROR([no library has $2, which $1_LIBS ($$1_LIBS) promises])])
 AC_DEFINE_UNQUOTED([$1_SONAME], ["$pr_cv_soname_$1"],
                    [the library of $2, linked at run time])])
