{{/* Names. A release that is called as the chart is does not say so twice. */}}
{{- define "evalx.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "evalx.operator" -}}
{{- include "evalx.fullname" . -}}-operator
{{- end -}}

{{- define "evalx.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "evalx.operator" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "evalx.lease" -}}
{{- default (include "evalx.operator" .) .Values.leaderElection.leaseName -}}
{{- end -}}

{{- define "evalx.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository (default .Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{/* What pods are selected by. It cannot be changed later, so there is no version in it. */}}
{{- define "evalx.selector" -}}
app.kubernetes.io/name: evalx-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Labels of every object. */}}
{{- define "evalx.labels" -}}
{{ include "evalx.selector" . }}
app.kubernetes.io/component: operator
app.kubernetes.io/part-of: evalx
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | quote }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The namespaces with rights of their own, as a list in JSON; empty is the whole cluster. */}}
{{- define "evalx.namespaces" -}}
{{- if .Values.watchNamespaces -}}
{{- uniq .Values.watchNamespaces | toJson -}}
{{- else if eq .Values.rbac.scope "namespace" -}}
{{- list .Release.Namespace | toJson -}}
{{- else -}}
[]
{{- end -}}
{{- end -}}

{{/* Whether an object of Prometheus' operator is wanted: (list . VALUE KIND), `true` or nothing. */}}
{{- define "evalx.monitored" -}}
{{- $root := index . 0 -}}
{{- $wanted := index . 1 | toString -}}
{{- $kind := index . 2 -}}
{{- if or (eq $wanted "true") (and (eq $wanted "auto") ($root.Capabilities.APIVersions.Has (printf "monitoring.coreos.com/v1/%s" $kind))) -}}
true
{{- end -}}
{{- end -}}
